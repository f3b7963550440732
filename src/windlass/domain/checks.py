"""The checks before a deploy: their stable names, what each found, and which of them a person may skip."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from windlass.domain.errors import Detail, Usage


class Status(StrEnum):
    """`REFUSED` alone keeps a deployment from beginning; `SKIPPED` was not asked because a person said so."""

    OK = "ok"
    WARNING = "warning"
    REFUSED = "refused"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """What one check found. `fix` is the next step, "" when there is nothing to do.

    `check` is the check's stable name, with what it is about behind a colon where one check looks at several things
    by name (`reachability:DATABASE_URL`, `checklist:licence`). `code` is for programs, "" when all is well. `name` is
    the place in the user's file, or the thing that it is about.
    """

    check: str
    status: Status
    message: str
    fix: str = ""
    code: str = ""
    name: str = ""

    def as_dict(self) -> dict[str, str]:
        return {
            "name": self.check,
            "status": self.status.value,
            "message": self.message,
            "fix": self.fix,
            "code": self.code,
            "place": self.name,
        }


# In the order in which they are told. What Compose, the contract or the machine's other users have to say cannot be
# skipped: a deploy that ignored it would fail later, or take what belongs to somebody else.
CHECKS: Mapping[str, bool] = {  # name -> may be skipped
    "compose": False,
    "contract": False,
    "consent": False,
    "placement": False,
    "routes": False,
    "files": False,
    "ports": False,
    "networks": False,
    "volumes": False,
    "containers": False,
    "address-pool": False,
    "build": False,
    "images": True,
    "architecture": True,
    "gpu": True,
    "disk": True,
    "inodes": True,
    "memory": True,
    "exposure": True,
    "dns": True,
    "clock": True,
    "versions": True,
    "reachability": True,
    "checklist": True,
}
_LISTED = "exposure"  # what is open stands there beside what is wrong
_WITH_PARTS = ("reachability", "checklist")
_ONLY_PARTS = ("checklist",)

_BY_CODE: Mapping[str, str] = {
    **dict.fromkeys(("value_invalid", "generate_impossible", "contract_unknown"), "contract"),
    "consent_missing": "consent",
    **dict.fromkeys(("strategy_unsafe", "volume_shared_by_stores", "probe_port_unknown"), "placement"),
    **dict.fromkeys(("host_taken", "path_invalid"), "routes"),
    **dict.fromkeys(
        ("bind_unclear", "file_missing", "file_too_large", "path_outside", "path_variable", "read_only_container"),
        "files",
    ),
    **dict.fromkeys(("upload_unsafe", "env_file_missing", "mount_target_invalid"), "files"),
    **dict.fromkeys(("image_missing", "image_unavailable", "image_reserved", "image_gone"), "images"),
    "build_impossible": "build",
    "port_taken": "ports",
    **dict.fromkeys(("network_missing", "foreign_network"), "networks"),
    **dict.fromkeys(("volume_missing", "foreign_volume"), "volumes"),
    "foreign_container": "containers",
    "address_pool_full": "address-pool",
    "image_architecture": "architecture",
    "gpu_missing": "gpu",
    "disk_full": "disk",
    "inodes_full": "inodes",
    "memory_short": "memory",
    "exposed_without_password": "exposure",
}
_BY_PREFIX = (
    ("variable_", "contract"),
    ("route_", "routes"),
    ("reach_", "reachability"),
    ("checklist_", "checklist"),
)


def check_of(code: str) -> str:
    """The check to which a problem with this code belongs; what nothing else claims is said by Compose's file."""
    found = _BY_CODE.get(code)
    return found or next((check for prefix, check in _BY_PREFIX if code.startswith(prefix)), "compose")


def found_ok(check: str, message: str, name: str = "") -> Finding:
    return Finding(check, Status.OK, message, name=name)


def refused(detail: Detail, check: str = "") -> Finding:
    """`check` left out: the one that the detail's code belongs to."""
    return Finding(check or check_of(detail.code), Status.REFUSED, detail.message, detail.fix, detail.code, detail.name)


def warned(detail: Detail, check: str = "") -> Finding:
    return replace(refused(detail, check), status=Status.WARNING)


def reasons(findings: Iterable[Finding]) -> list[Detail]:
    """What `refuse` takes: every refusal among the findings, each once."""
    found = (Detail(f.code, f.name, f.message, f.fix) for f in findings if f.status is Status.REFUSED)
    return list(dict.fromkeys(found))


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """By the checks' order; within one check the worst first, and each finding once."""
    places = list(CHECKS)
    weight = [Status.REFUSED, Status.WARNING, Status.OK, Status.SKIPPED]

    def key(finding: Finding) -> tuple[int, int]:
        base = finding.check.partition(":")[0]
        return places.index(base) if base in CHECKS else len(places), weight.index(finding.status)

    return sorted(dict.fromkeys(findings), key=key)


def told_once(findings: Iterable[Finding]) -> list[Finding]:
    """Without the lines that say that all is well where another finding of the same check says that it is not."""
    found = list(findings)
    doubted = {f.check for f in found if f.status is not Status.OK} - {_LISTED}
    return [f for f in found if f.status is not Status.OK or f.check not in doubted]


def is_skipped(check: str, skips: Collection[str]) -> bool:
    """`reachability` skips every `reachability:NAME` too."""
    return check in skips or check.partition(":")[0] in skips


def without_skipped(findings: Iterable[Finding], skips: Collection[str]) -> list[Finding]:
    return [f for f in findings if not is_skipped(f.check, skips)]


def told_skips(skips: Iterable[str]) -> list[Finding]:
    return [Finding(name, Status.SKIPPED, "not checked: --skip-check") for name in dict.fromkeys(skips)]


def skippable() -> list[str]:
    """What may be skipped, as a person writes it."""
    whole = [name for name, may in CHECKS.items() if may and name not in _ONLY_PARTS]
    return [*whole, *(f"{name}:{'VARIABLE' if name == 'reachability' else 'NAME'}" for name in _WITH_PARTS)]


def skip_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names themselves, each once. Raises Usage (skip_unknown) that lists what can be skipped."""
    wrong = [n for n in names if not _may_be_skipped(n)]
    if wrong:
        known = [n for n in wrong if n.partition(":")[0] in CHECKS]
        why = "cannot be skipped" if known == wrong else "is no check that can be skipped"
        raise Usage(
            f"--skip-check {', '.join(wrong)}: {why}",
            code="skip_unknown",
            hint=f"these can be skipped: {', '.join(skippable())}",
        )
    return tuple(dict.fromkeys(names))


def _may_be_skipped(name: str) -> bool:
    base, colon, part = name.partition(":")
    if not CHECKS.get(base, False):
        return False
    if colon:
        return base in _WITH_PARTS and bool(part)
    return base not in _ONLY_PARTS
