"""The contract of an app's variables, and every way in which their values break it. No value is ever in a message."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from windlass.domain.contract_formats import format_fault
from windlass.domain.contract_patterns import matches_pattern
from windlass.domain.contract_scopes import Places, scope_problems
from windlass.domain.contract_strength import has_gap, is_placeholder, weakness
from windlass.domain.contract_urls import is_misread, named_database, split_address, unencoded_characters
from windlass.domain.errors import Detail
from windlass.domain.manifest import EnvRule
from windlass.domain.secrecy import is_secret_name

_EXAMPLE_LINE = re.compile(r"^[ \t]*#?[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=", re.MULTILINE)
_NUMBER = re.compile(r"_?\d+")
_CLOSE = 0.86
_KEY_LENGTH = 32  # a secret declared as long as this is a key, made by a machine


@dataclass(frozen=True)
class Contract:
    """What the variables must be, without their values; kept, so that they can be checked before the next deploy.

    `rules`: declared in windlass.yaml. `asked`: names in the Compose file; of these `required` by `${X:?}`, which may
    be `blankable` (`${X?}`), and `blanks` without a default. `known`: also those of `.env.example`. `used`: by the
    resolved project, None when it was not. `public`: place that ends in browsers -> variables whose value is in it.
    `places`: where each is used, None when that was not looked for.
    """

    rules: Mapping[str, EnvRule] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    blankable: frozenset[str] = frozenset()
    blanks: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    used: frozenset[str] | None = None
    public: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    places: Places | None = None

    def kept(self) -> Contract:
        """With every default taken out, for a default is a value."""
        return replace(
            self,
            rules={n: r if r.default is None else r.model_copy(update={"default": ""}) for n, r in self.rules.items()},
        )


@dataclass(frozen=True)
class Findings:
    """`problems` refuse a deploy, `notes` do not."""

    problems: tuple[Detail, ...] = ()
    notes: tuple[Detail, ...] = ()


def names_in_example(text: str) -> frozenset[str]:
    """The names that a `.env.example` gives, also in comments."""
    return frozenset(_EXAMPLE_LINE.findall(text))


def check_contract(contract: Contract, values: Mapping[str, str], app: str) -> Findings:
    """Everything that is wrong with the values. `app` stands in the commands that are offered."""
    case = _Case(contract, values, app)
    problems, notes = list(_absent(case)), []
    for name, value in sorted(values.items()):
        rule = contract.rules.get(name)
        if rule is not None:
            problems += _declared(case, name, rule, value)
            notes += _guessed(case, name, value) if not rule.secret and rule.format != "jwt-secret" else []
        else:
            hard, soft = _undeclared(case, name, value)
            problems += hard
            notes += soft
        notes += _edges(case, name, value)
    problems += [*_pairs(case), *scope_problems(contract.rules, contract.places or {})]
    for detail, refuses in _public(case):
        (problems if refuses else notes).append(detail)
    for detail, refuses in _close_names(case):
        (problems if refuses else notes).append(detail)
    notes += [*_generatable(case), *_unused(case)]
    return Findings(tuple(dict.fromkeys(problems)), tuple(dict.fromkeys(notes)))


@dataclass(frozen=True)
class _Case:
    contract: Contract
    values: Mapping[str, str]
    app: str

    def to_set(self, name: str) -> str:
        """The command that gives a value without showing it to the process list."""
        rule = self.contract.rules.get(name)
        if rule is not None and rule.generate:
            return f"windlass env generate {self.app}"
        secret = (rule is not None and rule.secret) or is_secret_name(name)
        return f"windlass env set {self.app} {name} --stdin" if secret else f"windlass env set {self.app} {name}=VALUE"

    def to_change(self, name: str) -> str:
        rule = self.contract.rules.get(name)
        if rule is not None and rule.generate:
            return f"windlass env unset {self.app} {name}, then windlass env generate {self.app}"
        return self.to_set(name)

    def is_set(self, name: str) -> bool:
        return bool(self.values.get(name, "").strip())

    def is_needed(self, name: str) -> bool:
        """Whether a deploy is refused without it."""
        rule = self.contract.rules.get(name)
        if rule is None:
            return name in self.contract.required
        if rule.default is not None:
            return False
        made = bool(rule.generate) and name in self.contract.blanks
        return rule.required or name in self.contract.required or made


# --- missing, and nearly there ---------------------------------------------------------------------------------------


def _absent(case: _Case) -> Iterator[Detail]:
    for name in sorted({*case.contract.rules, *case.contract.required}):
        if not case.is_needed(name) or case.is_set(name):
            continue
        by_compose = name in case.contract.required
        if name in case.values:
            if name in case.contract.blankable and name not in case.contract.rules:
                continue
            yield Detail("variable_blank", name, f"{name} is blank", case.to_change(name))
        elif by_compose:
            words = f"{name} has no value, and the Compose file requires one"
            yield Detail("variable_required", name, words, case.to_set(name))
        else:
            words = f"{name} has no value, and windlass.yaml requires one"
            yield Detail("variable_missing", name, words, case.to_set(name))


def _generatable(case: _Case) -> Iterator[Detail]:
    for name, rule in sorted(case.contract.rules.items()):
        if rule.generate and rule.default is None and name not in case.values and not case.is_needed(name):
            words = f"{name} has no value, and can be generated"
            yield Detail("variable_generatable", name, words, case.to_set(name))


def _close_names(case: _Case) -> Iterator[tuple[Detail, bool]]:
    """Names that nothing knows, and that look like a known one that has no value."""
    contract = case.contract
    known = {*contract.rules, *contract.required, *contract.blanks, *contract.known}
    open_names = [n for n in sorted(known) if not case.is_set(n)]
    for name in sorted(set(case.values) - known - (contract.used or frozenset())):
        close = _closest(name, open_names)
        if close:
            words = f"{name} is set, but nothing knows it: did you mean {close}?"
            fix = f"{case.to_set(close)}, and windlass env unset {case.app} {name}"
            yield Detail("variable_name_close", name, words, fix), case.is_needed(close) and close in contract.rules


def _closest(name: str, candidates: list[str]) -> str:
    """Names that differ in a number only are different on purpose."""
    upper = {c.upper(): c for c in candidates}
    found = difflib.get_close_matches(name.upper(), upper, n=1, cutoff=_CLOSE)
    if not found or (found[0] != name.upper() and _NUMBER.sub("", found[0]) == _NUMBER.sub("", name.upper())):
        return ""
    return upper[found[0]]


def _unused(case: _Case) -> Iterator[Detail]:
    contract = case.contract
    if contract.used is None:
        return
    reached = contract.used | {n for n, rule in contract.rules.items() if rule.to or rule.default is not None}
    for name in sorted(set(case.values) - reached):
        words = f"{name} is set, but used by nothing: no ${{{name}}} in the Compose file, no `to:` in windlass.yaml"
        yield Detail("variable_unused", name, words, f"windlass env unset {case.app} {name}")


# --- one value -------------------------------------------------------------------------------------------------------


def _declared(case: _Case, name: str, rule: EnvRule, value: str) -> list[Detail]:
    if not value.strip():
        return []  # blank: a fault only where one is needed, and told there
    if is_placeholder(value) or (rule.format != "json" and has_gap(value)):
        return [_placeholder(case, name)]
    faults = [
        *_shape(case, name, rule, value),
        *_unencoded(case, name, value),
        *_weak(case, name, rule, value),
    ]
    return list(faults)


def _shape(case: _Case, name: str, rule: EnvRule, value: str) -> Iterator[Detail]:
    if len(value) < rule.min_length:
        words = f"{name} is shorter than {rule.min_length} characters"
        yield Detail("variable_too_short", name, words, case.to_change(name))
    if rule.pattern and not matches_pattern(rule.pattern, value):
        words = f"{name} does not match the pattern {rule.pattern}"
        yield Detail("variable_pattern", name, words, case.to_change(name))
    if rule.one_of and value not in rule.one_of:
        words = f"{name} is none of {', '.join(rule.one_of)}"
        yield Detail("variable_one_of", name, words, f"windlass env set {case.app} {name}={rule.one_of[0]}")
    wrong = "" if _has_raw_password(value) else format_fault(rule.format, value)
    if wrong:
        yield Detail("variable_format", name, f"{name} {wrong}", case.to_change(name))


def _has_raw_password(value: str) -> bool:
    """What else is wrong with such an address cannot be told."""
    return bool(unencoded_characters(value))


def _unencoded(case: _Case, name: str, value: str) -> Iterator[Detail]:
    characters = unencoded_characters(value)
    if characters:
        listed = " and ".join(filter(None, (", ".join(characters[:-1]), characters[-1])))
        words = f"the user or password in the URL {name} is not percent-encoded: it contains {listed}"
        yield Detail("variable_unencoded", name, words, f"windlass env set {case.app} {name} --url-encode")


def _weak(case: _Case, name: str, rule: EnvRule, value: str) -> Iterator[Detail]:
    address = split_address(value)
    if address is not None:
        wrong = weakness(address.password) if rule.secret and address.password else ""
        if wrong:
            yield Detail("variable_weak", name, f"the password in {name} {wrong}", case.to_change(name))
    elif rule.secret or rule.format == "jwt-secret":
        is_key = rule.format == "jwt-secret" or rule.min_length >= _KEY_LENGTH
        wrong = weakness(value, is_key)
        if wrong:
            yield Detail("variable_weak", name, f"{name} {wrong}", case.to_change(name))


def _placeholder(case: _Case, name: str) -> Detail:
    words = f"{name} still has a placeholder where its value is to be"
    return Detail("variable_placeholder", name, words, case.to_change(name))


def _undeclared(case: _Case, name: str, value: str) -> tuple[list[Detail], list[Detail]]:
    """Of these only an address that everybody reads wrongly is a problem; the rest is a guess."""
    if not value.strip():
        return [], []
    if is_placeholder(value):
        return [], [_placeholder(case, name)]
    unencoded = list(_unencoded(case, name, value))
    if unencoded and is_misread(value) and _is_store(value):
        return unencoded, []
    return [], [*unencoded, *_guessed(case, name, value)]


def _guessed(case: _Case, name: str, value: str) -> list[Detail]:
    """What a secret would be told, for one that nobody declared."""
    if is_placeholder(value) or has_gap(value):
        return []
    return list(_weak(case, name, EnvRule(secret=is_secret_name(name) or _is_store(value)), value))


def _is_store(value: str) -> bool:
    address = split_address(value)
    return address is not None and address.family != ""


def _edges(case: _Case, name: str, value: str) -> Iterator[Detail]:
    """What a copy from elsewhere leaves at the ends; kept as it is, but seldom meant."""
    if value.strip() and value != value.strip():
        words = f"{name} begins or ends with a space or a line end, which is kept"
        yield Detail("variable_edges", name, words, case.to_set(name))
    elif len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        words = f"{name} is in quotes, which are kept as a part of the value"
        yield Detail("variable_edges", name, words, case.to_set(name))


# --- several values --------------------------------------------------------------------------------------------------


def _pairs(case: _Case) -> Iterator[Detail]:
    for name, rule in sorted(case.contract.rules.items()):
        for other in rule.equals:
            if _differ(case, name, other):
                words = f"{name} and {other} must have the same value, and have not"
                yield Detail("variable_differs", name, words, f"windlass env set {case.app} {other} --stdin")
        for other in rule.same_as:
            wrong = _other_database(case, name, other) if _differ(case, name, other) else ""
            if wrong:
                yield Detail("variable_differs", name, wrong, f"windlass env set {case.app} {other} --stdin")


def _differ(case: _Case, name: str, other: str) -> bool:
    """Whether both are there with different values, or one alone that is not told as missing."""
    if case.is_set(name) and case.is_set(other):
        return case.values[name] != case.values[other]
    absent = other if case.is_set(name) else name
    return (case.is_set(name) or case.is_set(other)) and not _filled_later(case, absent)


def _filled_later(case: _Case, name: str) -> bool:
    """Missing is told by itself; a kept default is not known here."""
    rule = case.contract.rules.get(name)
    return case.is_needed(name) or (rule is not None and rule.default is not None)


def _other_database(case: _Case, name: str, other: str) -> str:
    one, two = named_database(case.values.get(name, "")), named_database(case.values.get(other, ""))
    if one is None or two is None:
        return f"{name} and {other} must name the same, and do not"
    parts = {"kind of database": (one.family, two.family), "host or port": (one.server, two.server)}
    parts["name of the database"] = (one.name, two.name)
    wrong = [words for words, (left, right) in parts.items() if left != right]
    return (
        f"{name} and {other} must name the same database, but differ in the {' and the '.join(wrong)}" if wrong else ""
    )


# --- what ends in public JavaScript ----------------------------------------------------------------------------------

_PUBLIC = re.compile(r"(?:VITE|NEXT_PUBLIC|REACT_APP|VUE_APP|NUXT_PUBLIC|EXPO_PUBLIC|GATSBY|PUBLIC)_")
_MEANT = re.compile(r"PUBLISHABLE|ANON|SITE_?KEY|PUBLIC_?KEY$|CLIENT_ID|MAPS|ANALYTICS|SENTRY|POSTHOG|FIREBASE|CAPTCHA")
_LEAST_SHARED = 6


def is_public_name(name: str) -> bool:
    """Whether front-end build tools write a variable of this name into what browsers get."""
    return _PUBLIC.match(name) is not None


def public_places(places: Mapping[str, str], values: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Place -> the variables whose value is in what stands there. `places`: place that ends in browsers -> value."""
    found = {}
    for place, text in places.items():
        inside = [n for n, v in sorted(values.items()) if len(v) >= _LEAST_SHARED and v in text]
        if inside:
            found[place] = tuple(inside)
    return found


def _public(case: _Case) -> Iterator[tuple[Detail, bool]]:
    told: set[str] = set()
    for place, inside in sorted(case.contract.public.items()):
        for name in inside:
            rule = case.contract.rules.get(name)
            declared = rule is not None and rule.secret
            if name in told or not (declared or (rule is None and _looks_secret(name))):
                continue
            told.add(name)
            words = f"{place} takes the value of {name}, a secret, into JavaScript that every browser gets"
            yield Detail("variable_public", name, words, "call what needs it from the server side"), declared
    for name in sorted({n for n in (*case.values, *case.contract.rules) if is_public_name(n)} - told):
        rule = case.contract.rules.get(name)
        declared = rule is not None and rule.secret
        if declared or (rule is None and case.is_set(name) and _looks_secret(name)):
            words = f"{name} is a secret, but by its name it ends in JavaScript that every browser gets"
            fix = f"use another name than {name.partition('_')[0]}_…, on the server side only"
            yield Detail("variable_public", name, words, fix), declared


def _looks_secret(name: str) -> bool:
    return is_secret_name(name) and not _MEANT.search(name.upper())
