"""Reads a rule of Traefik's labels into conditions of which each alternative must hold in full."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from windlass.domain.errors import Usage

LONGEST = 4096
MOST_ALTERNATIVES = 64
_DEEPEST = 20

_TOKENS = re.compile(
    r"\s*(?:(?P<word>[A-Za-z]+)|(?P<text>`[^`]*`|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<sign>\(|\)|,|!|&&|\|\|))"
)


@dataclass(frozen=True)
class Term:
    """One matcher, such as Host(`a.example`, `b.example`): any of its arguments, or none of them when negated."""

    matcher: str
    arguments: tuple[str, ...]
    negated: bool = False


Alternative = tuple[Term, ...]


def parse_rule(text: str) -> tuple[Alternative, ...]:
    """All alternatives of `text`. Raises Usage rule_invalid, with what is wrong and where."""
    if len(text) > LONGEST:
        raise _invalid(f"it is longer than {LONGEST} characters")
    reader = _Reader(tuple(_tokens(text)))
    found = reader.alternatives(0)
    if reader.next is not None:
        raise _invalid(f"{reader.next[1]!r} is one too many")
    return tuple(dict.fromkeys(found))


_Token = tuple[str, str]


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text.rstrip()):
        match = _TOKENS.match(text, at)
        if match is None or match.lastgroup is None:
            raise _invalid(f"{text[at : at + 20].strip()!r} at character {at + 1} is not understood")
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


class _Reader:
    """Or of and of not, as in Go: `||` binds least, `!` most."""

    def __init__(self, tokens: tuple[_Token, ...]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def next(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def alternatives(self, depth: int) -> list[Alternative]:
        found = self._together(depth)
        while self._is("||"):
            found = _few([*found, *self._together(depth)])
        return found

    def _together(self, depth: int) -> list[Alternative]:
        found = self._single(depth)
        while self._is("&&"):
            others = self._single(depth)
            if len(found) * len(others) > MOST_ALTERNATIVES:
                raise _invalid(f"it has more than {MOST_ALTERNATIVES} alternatives")
            found = [(*one, *(t for t in other if t not in one)) for one, other in product(found, others)]
        return found

    def _single(self, depth: int) -> list[Alternative]:
        if depth > _DEEPEST:
            raise _invalid(f"it is nested more than {_DEEPEST} deep")
        if self._is("!"):
            return _negated(self._single(depth + 1))
        if self._is("("):
            found = self.alternatives(depth + 1)
            self._expect(")")
            return found
        return [(self._matcher(),)]

    def _matcher(self) -> Term:
        kind, name = self._take("a matcher such as Host(`…`)")
        if kind != "word":
            raise _invalid(f"{name!r} stands where a matcher such as Host(`…`) should")
        self._expect("(")
        arguments = [self._text()]
        while self._is(","):
            arguments.append(self._text())
        self._expect(")")
        return Term(name, tuple(arguments))

    def _text(self) -> str:
        kind, text = self._take("a text in backticks")
        if kind != "text":
            raise _invalid(f"{text!r} stands where a text in backticks should")
        return text[1:-1] if text[0] == "`" else re.sub(r"\\(.)", r"\1", text[1:-1])

    def _is(self, sign: str) -> bool:
        if self.next == ("sign", sign):
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        kind, text = self._take(repr(sign))
        if (kind, text) != ("sign", sign):
            raise _invalid(f"{text!r} stands where {sign!r} should")

    def _take(self, wanted: str) -> _Token:
        found = self.next
        if found is None:
            raise _invalid(f"it ends where {wanted} should stand")
        self._at += 1
        return found


def _negated(alternatives: list[Alternative]) -> list[Alternative]:
    """Not (a and b, or c) is: not a and not c, or not b and not c."""
    count = 1
    for one in alternatives:
        count *= len(one)
        if count > MOST_ALTERNATIVES:
            raise _invalid(f"it has more than {MOST_ALTERNATIVES} alternatives")
    return [tuple(replace(term, negated=not term.negated) for term in chosen) for chosen in product(*alternatives)]


def _few(found: list[Alternative]) -> list[Alternative]:
    if len(found) > MOST_ALTERNATIVES:
        raise _invalid(f"it has more than {MOST_ALTERNATIVES} alternatives")
    return found


def _invalid(said: str) -> Usage:
    return Usage(said, code="rule_invalid")
