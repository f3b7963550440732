"""Whether what came back for a smoke step is what was wanted, in words that name the place, the wish and the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from windlass.domain.smoke import Expected, SmokeStep, filled, filled_text, split_field

BODY_LIMIT = 1 << 20  # bytes that are read of an answer
SHOWN = 200  # characters of an answer that are told


@dataclass(frozen=True)
class Answer:
    """`whole` False: there was more than BODY_LIMIT."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    whole: bool = True


def wrong_with(expected: Expected, answer: Answer, saved: Mapping[str, Any]) -> str:
    """ "" when the answer is as wanted; else what was wanted and what came."""
    for found in _reasons(expected, answer, saved):
        return found
    return ""


def _reasons(expected: Expected, answer: Answer, saved: Mapping[str, Any]) -> Iterator[str]:
    status = _wrong_status(expected, answer)
    if status:
        yield status
    for name, text in expected.headers.items():
        yield from _wrong_header(name, filled_text(text, saved), answer)
    if expected.has_json:
        document, wrong = read_json(answer)
        yield from [wrong] if wrong else mismatches(filled(expected.json, saved), document)
    text = filled_text(expected.text, saved)
    if text and text not in _text(answer):
        end = "" if answer.whole else f" (of which {BODY_LIMIT >> 20} MiB were read)"
        yield f"the answer{end}: wanted {shown(text)} in it, got {_told_body(answer)}"


def _wrong_status(expected: Expected, answer: Answer) -> str:
    wanted = " or ".join(str(s) for s in expected.statuses) or "200 to 399"
    good = answer.status in expected.statuses if expected.statuses else 200 <= answer.status < 400
    if good:
        return ""
    told = _told_body(answer)
    return f"status: wanted {wanted}, got {answer.status}" + (f": {told}" if told != '""' else "")


def _wrong_header(name: str, wanted: str, answer: Answer) -> Iterator[str]:
    found = [text.strip() for key, text in answer.headers if key.lower() == name.lower()]
    if not any(text == wanted or text.partition(";")[0].strip() == wanted for text in found):
        yield f"header {name}: wanted {shown(wanted)}, got {shown(', '.join(found)) if found else 'none'}"


def mismatches(wanted: Any, got: Any, place: str = "") -> Iterator[str]:
    """Where the wanted subset is not in what came: `data.state: wanted "ready", got "starting"`.

    A mapping may have more keys than wanted; a list must be as long as the wanted one.
    """
    if isinstance(wanted, Mapping):
        if not isinstance(got, Mapping):
            yield _differs(place, wanted, got)
            return
        for key, inner in wanted.items():
            below = f"{place}.{key}" if place else str(key)
            if key in got:
                yield from mismatches(inner, got[key], below)
            else:
                yield f"{below}: wanted {shown(inner)}, got nothing"
    elif isinstance(wanted, list | tuple):
        if not isinstance(got, list) or len(got) != len(wanted):
            yield _differs(place, wanted, got)
            return
        for index, (inner, other) in enumerate(zip(wanted, got, strict=True)):
            yield from mismatches(inner, other, f"{place}[{index}]")
    elif isinstance(wanted, bool) is not isinstance(got, bool) or wanted != got:
        yield _differs(place, wanted, got)


def _differs(place: str, wanted: Any, got: Any) -> str:
    return f"{place or 'the answer'}: wanted {shown(wanted)}, got {shown(got)}"


def is_wanted(expected: Expected, message: str, saved: Mapping[str, Any]) -> bool:
    """Whether a message of the WebSocket is the one that was waited for."""
    return not wrong_with(expected, Answer(200, body=message.encode("utf-8", "replace")), saved)


def waits_for_message(expected: Expected) -> bool:
    """Else it is enough that the WebSocket opens."""
    return bool(expected.text) or expected.has_json


def told_wish(expected: Expected, saved: Mapping[str, Any]) -> str:
    """What the WebSocket was to say."""
    text = filled_text(expected.text, saved)
    words = [f"with {shown(text)}"] if text else []
    words += [f"that has {shown(filled(expected.json, saved))}"] if expected.has_json else []
    return f"a message {' and '.join(words)}"


def read_json(answer: Answer) -> tuple[Any, str]:
    """The document, or None and why there is none."""
    if not answer.whole:
        return None, f"the answer: wanted JSON, got more than {BODY_LIMIT >> 20} MiB"
    try:
        return json.loads(answer.body), ""
    except (ValueError, RecursionError):
        return None, f"the answer: wanted JSON, got {_told_body(answer)}"


def _text(answer: Answer) -> str:
    return answer.body.decode("utf-8", "replace")


def _told_body(answer: Answer) -> str:
    return shown(answer.body[: 8 * SHOWN].decode("utf-8", "replace"))


def shown(value: Any) -> str:
    """A value in one line, as JSON, and not longer than a screen's."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = "…"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


# --- what later steps need of it -------------------------------------------------------------------------------------


def saved_from(step: SmokeStep, answer: Answer) -> tuple[dict[str, Any], str]:
    """What the step saves, and "" or why it cannot."""
    found: dict[str, Any] = {}
    if not step.save:
        return found, ""
    document, wrong = read_json(answer)
    if wrong:
        return found, wrong
    for name, place in step.save.items():
        try:
            found[name] = _look_up(document, place)
        except LookupError:
            return found, f"there is no {place} in the answer, to be saved as {name}: {shown(document)}"
    return found, ""


def _look_up(document: Any, place: str) -> Any:
    for step in split_field(place):
        if isinstance(document, Mapping):
            document = document[str(step)]
        elif isinstance(document, list) and str(step).isdigit():
            document = document[int(step)]
        else:
            raise LookupError(place)
    return document
