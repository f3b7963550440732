"""Makes values for the variables that the contract calls generatable."""

from __future__ import annotations

import base64
import secrets
import string
import uuid
from collections.abc import Iterable, Mapping

from windlass.domain.contract import Contract, check_contract
from windlass.domain.contract_patterns import Generator, parse_generator
from windlass.domain.errors import Detail, refuse

_ALPHABET = string.ascii_letters + string.digits
_TRIES = 50


def make_value(generator: Generator) -> str:
    """A password has letters and digits only, so that it needs no encoding in a URL."""
    if generator.kind == "base64":
        return base64.b64encode(secrets.token_bytes(generator.size)).decode()
    if generator.kind == "hex":
        return secrets.token_hex(generator.size)
    if generator.kind == "uuid":
        return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
    return "".join(secrets.choice(_ALPHABET) for _ in range(generator.size))


def missing_values(contract: Contract, values: Mapping[str, str]) -> dict[str, str]:
    """New values for what has none and can be generated; variables that must be equal get the same one.

    Raises Refused generate_impossible when what `generate` makes breaks another rule.
    """
    made: dict[str, str] = {}
    problems: list[Detail] = []
    for group in _groups(contract):
        missing = [n for n in group if n not in values and contract.rules[n].default is None]
        there = {values[n] for n in group if values.get(n)}
        if not missing or len(there) > 1:
            continue
        if there:
            made |= dict.fromkeys(missing, there.pop())
            continue
        generators = [contract.rules[n].generate for n in missing if contract.rules[n].generate]
        if not generators:
            continue
        value = _fitting(contract, missing, parse_generator(generators[0]))
        if value:
            made |= dict.fromkeys(missing, value)
        else:
            problems.append(_impossible(missing[0]))
    if problems:
        raise refuse(problems)
    return made


def _groups(contract: Contract) -> Iterable[frozenset[str]]:
    """Declared variables, those together that `equals` ties to each other."""
    groups: dict[str, frozenset[str]] = {n: frozenset({n}) for n in contract.rules}
    for name, rule in contract.rules.items():
        for other in rule.equals:
            joined = groups[name] | groups.get(other, frozenset())
            groups |= dict.fromkeys(joined, joined)
    return dict.fromkeys(groups[n] for n in sorted(groups))


def _fitting(contract: Contract, names: list[str], generator: Generator) -> str:
    rules = Contract(rules={n: contract.rules[n].model_copy(update={"equals": (), "same_as": ()}) for n in names})
    for _ in range(_TRIES):
        value = make_value(generator)
        if not check_contract(rules, dict.fromkeys(names, value), "APP").problems:
            return value
    return ""


def _impossible(name: str) -> Detail:
    return Detail(
        "generate_impossible",
        name,
        f"what `generate` makes for {name} breaks another of its rules in windlass.yaml",
        f"correct env.{name} in windlass.yaml",
    )
