"""The contracts of five real systems: a good environment passes, and of a bad one every fault is found in one run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from windlass.domain.contract import Contract, check_contract
from windlass.domain.errors import Detail
from windlass.domain.manifest import Manifest
from windlass.domain.manifestfile import parse_manifest

ROOT = Path(__file__).parents[2]
TABLE: dict[str, Any] = YAML(typ="safe").load((Path(__file__).parent / "contract_systems.yaml").read_text())
SYSTEMS = sorted(path.parent.name for path in (ROOT / "examples" / "contracts").glob("*/windlass.yaml"))


@dataclass(frozen=True)
class Case:
    """`faults`: code and name of all that is refused."""

    system: str
    title: str
    values: Mapping[str, str]
    faults: frozenset[str]
    shows: tuple[str, ...]


def cases() -> Iterator[Case]:
    for system, table in TABLE.items():
        for title, bad in table["bad"].items():
            kept = {n: v for n, v in table["good"].items() if n not in bad.get("unset", ())}
            yield Case(
                system,
                title,
                {**kept, **bad.get("set", {})},
                frozenset(f"variable_{fault}" for fault in bad["faults"]),
                tuple(bad.get("shows", ())),
            )


CASES = list(cases())


def manifest_of(system: str) -> Manifest:
    return parse_manifest((ROOT / "examples" / "contracts" / system / "windlass.yaml").read_bytes(), system)


def words(details: tuple[Detail, ...]) -> str:
    return "\n".join(f"{d.message} | {d.fix}" for d in details)


def test_every_system_has_its_table() -> None:
    assert sorted(TABLE) == SYSTEMS
    assert {system: len(table["bad"]) for system, table in TABLE.items() if len(table["bad"]) < 12} == {}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_good_environment(system: str) -> None:
    manifest = manifest_of(system)
    values = {**manifest.defaults, **TABLE[system]["good"]}
    found = check_contract(Contract(rules=manifest.env), values, system)
    assert (found.problems, found.notes) == ((), ())


@pytest.mark.parametrize("case", CASES, ids=[f"{c.system}: {c.title}" for c in CASES])
def test_a_bad_environment(case: Case) -> None:
    manifest = manifest_of(case.system)
    found = check_contract(Contract(rules=manifest.env), {**manifest.defaults, **case.values}, case.system)
    assert {f"{d.code} {d.name}" for d in found.problems} == case.faults
    assert all(d.message and d.fix for d in found.problems)
    said = words(found.problems + found.notes)
    assert [word for word in case.shows if word not in said] == []
    for name, value in case.values.items():
        if len(value) >= 6 and value != TABLE[case.system]["good"].get(name):
            assert value not in said


@pytest.mark.parametrize("system", SYSTEMS)
def test_everything_broken_at_once(system: str) -> None:
    """Each declared variable has a placeholder: one run tells all of them."""
    rules = manifest_of(system).env
    found = check_contract(Contract(rules=rules), dict.fromkeys(rules, "<your-value>"), system)
    assert {d.name for d in found.problems if d.code == "variable_placeholder"} == set(rules)
