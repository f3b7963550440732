"""Takes secret values, in every spelling they are met in, and control sequences out of text before anyone sees it."""

from __future__ import annotations

import base64
import html
import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from windlass.domain.secrecy import secrets_among, secrets_in

MASK = "***"

_CONTROLS = re.compile(
    r"\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x9d[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC: titles, links
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c\n]*(?:\x1b\\|\x9c)?"  # DCS, SOS, PM, APC
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"|[\u202a-\u202e\u2066-\u2069]"  # they turn the direction of what follows around
)


def clean(text: str) -> str:
    """Without terminal control sequences and control characters; tabs and line ends stay."""
    return _CONTROLS.sub("", text)


class Redactor:
    """Replaces secrets by `***`.

    `values`: variables by name, among which the secrets are found by name and look; or the secrets themselves.
    `redact` and `redact_data` keep nothing between calls and may be used by many threads; `feed` and `flush` are for
    one stream that comes in pieces: take a `stream()` for each.
    """

    def __init__(self, values: Mapping[str, str] | Iterable[str] = ()) -> None:
        if isinstance(values, Mapping):
            secrets = secrets_among(values)
        else:
            secrets = {part for value in values for part in secrets_in(value)}
        self._spellings = sorted({s for secret in secrets for s in spellings(secret)})
        self._pattern = _compile(self._spellings)
        self._longest = max(map(len, self._spellings), default=0)
        self._starts = {s[:n] for s in self._spellings for n in (1, 2, 3)}
        self._tail = ""
        self._masked = 0  # so many characters of the tail are secret, and their mask is out already

    def stream(self) -> Redactor:
        """One for another stream, with the same secrets."""
        twin = object.__new__(Redactor)
        twin.__dict__.update(self.__dict__)
        twin._tail, twin._masked = "", 0
        return twin

    def redact(self, text: str) -> str:
        return self._written(text, self._spans(text, 0), len(text)) if text else text

    def redact_data(self, data: Any) -> Any:
        """The same shape with every text in it redacted; keys stay, for they are names."""
        if isinstance(data, str):
            return self.redact(data)
        if isinstance(data, Mapping):
            return {key: self.redact_data(value) for key, value in data.items()}
        if isinstance(data, (list, tuple, set, frozenset)):
            return type(data)(self.redact_data(item) for item in data)
        return data

    def feed(self, chunk: str) -> str:
        """What can be shown so far; an end that may be the start of a secret is kept back."""
        self._tail += chunk
        return self._drain(self._undecided(self._tail))

    def flush(self) -> str:
        """What was kept back; to be called at the end of the stream."""
        return self._drain(len(self._tail))

    def _drain(self, upto: int) -> str:
        text, masked = self._tail, self._masked
        spans = self._spans(text, masked)
        shown = self._written(text, spans, upto, masked)
        reached = max((end for start, end in spans if start < upto), default=masked)
        self._tail, self._masked = text[upto:], max(0, reached - upto)
        return shown

    def _spans(self, text: str, masked: int) -> list[tuple[int, int]]:
        """Where secrets are; overlapping ones as one, so that no half of the second stays."""
        spans = [(0, masked)] if masked else []
        position = 0
        while (found := self._pattern.search(text, position)) is not None:
            start, end = found.span()
            if spans and start < spans[-1][1]:
                spans[-1] = (spans[-1][0], max(spans[-1][1], end))
            else:
                spans.append((start, end))
            position = start + 1
        return spans

    @staticmethod
    def _written(text: str, spans: list[tuple[int, int]], upto: int, masked: int = 0) -> str:
        out, position = [], 0
        for start, end in spans:
            if start >= upto:
                break
            out.append(text[position:start])
            if start or not masked:
                out.append(MASK)
            position = end
        out.append(text[position:upto])
        return "".join(out)

    def _undecided(self, text: str) -> int:
        """The first place from where on all of the text is the beginning of a spelling, and not the whole of it."""
        for start in range(max(0, len(text) - self._longest + 1), len(text)):
            if text[start : start + 3] in self._starts and self._begins_spelling(text[start:]):
                return start
        return len(text)

    def _begins_spelling(self, text: str) -> bool:
        place = bisect_left(self._spellings, text)
        if place < len(self._spellings) and self._spellings[place] == text:
            place += 1
        return place < len(self._spellings) and self._spellings[place].startswith(text)


def spellings(secret: str) -> set[str]:
    """A value as it is met in logs, URLs, JSON, HTML, Compose files and base64."""
    found = {secret, secret.replace("$", "$$"), html.escape(secret), repr(secret)[1:-1]}
    found |= _in_json(secret) | _in_url(secret) | _in_base64(secret)
    return {spelling for spelling in found if len(spelling) >= 4}


def _in_json(secret: str) -> set[str]:
    plain = {json.dumps(secret, ensure_ascii=ascii)[1:-1] for ascii in (True, False)}
    found = plain | {_escaped_more(text) for text in plain} | {text.replace("/", "\\/") for text in plain}
    return found | {json.dumps(text)[1:-1] for text in plain}  # JSON in a text of JSON


def _escaped_more(text: str) -> str:
    """As Go and others write JSON that may end up in HTML."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


_UNQUOTED = ("", "/", "!'()*", "$&+,;=", "!$&'()*+,;=", "!$&'()*+,;=:@/", "*")


def _in_url(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "surrogateescape")
    found = {quote(raw, safe=safe) for safe in _UNQUOTED} | {quote_plus(raw), quote_plus(raw, safe="*")}
    found |= {re.sub("%..", lambda code: code.group().lower(), text) for text in found}
    return found


def _in_base64(secret: str) -> set[str]:
    """The characters that the secret alone decides, for each of the three places where it can start in a group."""
    raw = secret.encode("utf-8", "surrogateescape")
    found = set()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw).decode()
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        found.add(encoded[first:last])
    return found | {text.replace("+", "-").replace("/", "_") for text in found}


def _compile(texts: list[str]) -> re.Pattern[str]:
    """One pattern, branching by the first three characters, so that few alternatives are tried at each place."""
    if not texts:
        return re.compile(r"(?!)")
    return re.compile(_branches(texts, 3))


def _branches(texts: list[str], depth: int) -> str:
    if depth == 0 or len(texts) == 1:
        return _any_of([re.escape(text) for text in sorted(texts, key=len, reverse=True)])
    by_first: dict[str, list[str]] = {}
    for text in texts:
        by_first.setdefault(text[0], []).append(text[1:])
    return _any_of([re.escape(first) + _branches(rest, depth - 1) for first, rest in by_first.items()])


def _any_of(patterns: list[str]) -> str:
    return patterns[0] if len(patterns) == 1 else f"(?:{'|'.join(patterns)})"
