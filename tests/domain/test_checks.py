"""The checks' names, what belongs to which, and which may be left out."""

from __future__ import annotations

import pytest

from windlass.domain.checks import (
    CHECKS,
    Status,
    check_of,
    found_ok,
    in_order,
    is_skipped,
    reasons,
    refused,
    skip_names,
    skippable,
    told_skips,
    warned,
    without_skipped,
)
from windlass.domain.errors import Detail, Usage

CODES = {
    "compose_invalid": "compose",
    "unknown_key": "compose",
    "service_unknown": "compose",
    "variable_required": "contract",
    "variable_weak": "contract",
    "consent_missing": "consent",
    "strategy_unsafe": "placement",
    "volume_shared_by_stores": "placement",
    "host_taken": "routes",
    "route_unclear": "routes",
    "bind_unclear": "files",
    "path_outside": "files",
    "image_unavailable": "images",
    "image_architecture": "architecture",
    "port_taken": "ports",
    "network_missing": "networks",
    "foreign_volume": "volumes",
    "foreign_container": "containers",
    "address_pool_full": "address-pool",
    "disk_full": "disk",
    "gpu_missing": "gpu",
    "exposed_without_password": "exposure",
    "checklist_failed": "checklist",
    "reach_credentials": "reachability",
}


@pytest.mark.parametrize("code", CODES)
def test_each_problem_belongs_to_a_check(code: str) -> None:
    assert check_of(code) == CODES[code]
    assert CODES[code] in CHECKS


def test_a_problem_keeps_its_words_both_ways() -> None:
    detail = Detail("port_taken", "services.web.ports", "port 80 is held", "stop it")
    assert refused(detail).as_dict() == {
        "name": "ports", "status": "refused", "message": "port 80 is held", "fix": "stop it",
        "code": "port_taken", "place": "services.web.ports",
    }  # fmt: skip
    assert reasons([refused(detail), found_ok("disk", "much"), warned(detail), refused(detail)]) == [detail]


def test_order_is_by_check_and_within_it_by_weight() -> None:
    detail = Detail("x", "", "m")
    found = [
        found_ok("disk", "a"),
        warned(detail, "reachability:A"),
        warned(detail, "disk"),
        refused(detail, "compose"),
    ]
    shown = [(f.check, f.status) for f in in_order([*found, *found])]
    assert shown == [
        ("compose", Status.REFUSED),
        ("disk", Status.WARNING),
        ("disk", Status.OK),
        ("reachability:A", Status.WARNING),
    ]


@pytest.mark.parametrize(
    ("check", "skips", "skipped"),
    [
        ("disk", ("disk",), True),
        ("disk", ("dns",), False),
        ("reachability:DB_URL", ("reachability",), True),
        ("reachability:DB_URL", ("reachability:DB_URL",), True),
        ("reachability:DB_URL", ("reachability:OTHER",), False),
        ("checklist:licence", ("checklist:licence",), True),
    ],
)
def test_skipping(check: str, skips: tuple[str, ...], skipped: bool) -> None:
    assert is_skipped(check, skips) is skipped
    assert (without_skipped([found_ok(check, "")], skips) == []) is skipped


def test_what_was_skipped_is_told() -> None:
    assert [(f.check, f.status) for f in told_skips(["dns", "dns"])] == [("dns", Status.SKIPPED)]


@pytest.mark.parametrize(
    "name",
    ["compose", "contract", "consent", "files", "ports", "networks", "volumes", "checklist", "disc", "", "disk:x",
     "reachability:", "compose:x"],
)  # fmt: skip
def test_what_cannot_be_skipped_is_a_mistake_of_the_call(name: str) -> None:
    with pytest.raises(Usage) as raised:
        skip_names(["disk", name])
    assert raised.value.code == "skip_unknown"
    assert all(known in raised.value.hint for known in skippable())


def test_what_can_be_skipped() -> None:
    names = [n for n in skippable() if ":" not in n]
    assert skip_names([*names, "reachability:DB_URL", "checklist:licence", "disk"]) == (
        *names,
        "reachability:DB_URL",
        "checklist:licence",
    )
