"""Smoke steps: what is asked of a new version after the switch, and what is sent for it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

REQUEST_S = 30.0

_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_FIELD = re.compile(r"\.?([^.\[\]\s]+)|\[(\d+)\]")
_PATH_KEPT = "/?!$&'()*+,;=:@-._~%[]"


@dataclass(frozen=True)
class Upload:
    """A file of the source as a part of a form; `field` "": it is the whole body."""

    path: str
    field: str = "file"
    type: str = ""


@dataclass(frozen=True)
class Expected:
    """`statuses` empty: 200 to 399. `json` counts only when `has_json`, for null can be wanted."""

    statuses: tuple[int, ...] = ()
    json: Any = None
    has_json: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    within_s: float = REQUEST_S


@dataclass(frozen=True)
class SmokeStep:
    """One step. `method` "WEBSOCKET" is one; `task` names the part that is run for a command, which has no method.

    `host` "": the app's first. `json` and `send` count only with `has_json` and `has_send`.
    """

    title: str
    method: str = ""
    path: str = ""
    host: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    has_json: bool = False
    form: Mapping[str, str] | None = None
    upload: Upload | None = None
    send: Any = None
    has_send: bool = False
    expected: Expected = Expected()
    save: Mapping[str, str] = field(default_factory=dict)
    task: str = ""
    within_s: float = 300.0
    retry_s: float = 0.0

    @property
    def is_websocket(self) -> bool:
        return self.method == WEBSOCKET


WEBSOCKET = "WEBSOCKET"


@dataclass(frozen=True)
class Visit:
    """A request as it is sent. `body`: its pieces; a `FilePiece` is read where it lies."""

    method: str
    target: str
    host: str
    headers: tuple[tuple[str, str], ...] = ()
    body: tuple[bytes | FilePiece, ...] = ()


@dataclass(frozen=True)
class FilePiece:
    """A file that is sent; `path` is where it lies on this machine."""

    path: str


# --- saved values ----------------------------------------------------------------------------------------------------


def names_in(text: str) -> tuple[str, ...]:
    """The names that stand in braces."""
    return tuple(_PLACE.findall(text))


def filled(value: Any, saved: Mapping[str, Any]) -> Any:
    """With what was saved in place of `{name}`, at every depth. A name that nobody saved stands for itself.

    Text that is nothing but one name becomes the saved value itself: a number stays a number.
    """
    if isinstance(value, str):
        alone = _PLACE.fullmatch(value)
        if alone is not None and alone[1] in saved:
            return saved[alone[1]]
        return filled_text(value, saved)
    if isinstance(value, Mapping):
        return {key: filled(inner, saved) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [filled(inner, saved) for inner in value]
    return value


def filled_text(text: str, saved: Mapping[str, Any]) -> str:
    return _PLACE.sub(lambda found: _as_text(saved[found[1]]) if found[1] in saved else found[0], text)


def filled_path(path: str, saved: Mapping[str, Any]) -> str:
    """As a request's target: a saved value cannot leave its place, and every other sign is one that may be sent."""
    pieces = _PLACE.split(path)
    plain = [quote(piece, safe=_PATH_KEPT) for piece in pieces[::2]]
    values = [quote(_as_text(saved.get(name, "")), safe="") for name in pieces[1::2]]
    return "".join(text for pair in zip(plain, [*values, ""], strict=True) for text in pair)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def split_field(text: str) -> tuple[str | int, ...]:
    """`data.items[0].id` → its steps; () when it is no such thing."""
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        found = _FIELD.match(text, at)
        if found is None or (at == 0 and text.startswith(".")):
            return ()
        steps.append(found[1] if found[2] is None else int(found[2]))
        at = found.end()
    return tuple(steps)


# --- what is sent ----------------------------------------------------------------------------------------------------


def visit_for(step: SmokeStep, netloc: str, saved: Mapping[str, Any], folder: str) -> Visit:
    """The request of a step. `netloc`: host and port as a browser would send them; `folder`: where the source lies."""
    kind, body = _body(step, saved, folder)
    given = {name: filled_text(text, saved) for name, text in step.headers.items()}
    known = {name.lower() for name in given}
    own = {"User-Agent": "windlass", "Accept": "*/*", **({"Content-Type": kind} if kind else {})}
    headers = {**{name: text for name, text in own.items() if name.lower() not in known}, **given}
    return Visit(step.method, filled_path(step.path, saved), netloc, tuple(headers.items()), body)


def _body(step: SmokeStep, saved: Mapping[str, Any], folder: str) -> tuple[str, tuple[bytes | FilePiece, ...]]:
    """Content-Type and pieces."""
    if step.has_json:
        text = json.dumps(filled(step.json, saved), ensure_ascii=False)
        return "application/json", (text.encode("utf-8", "surrogatepass"),)
    form = {name: filled_text(text, saved) for name, text in (step.form or {}).items()}
    if step.upload is not None:
        piece = FilePiece(f"{folder}/{step.upload.path}")
        type_ = step.upload.type or _type_of(step.upload.path)
        return (type_, (piece,)) if not step.upload.field else _multipart(form, step.upload, type_, piece)
    if step.form is not None:
        pairs = "&".join(f"{quote_plus(name)}={quote_plus(text)}" for name, text in form.items())
        return "application/x-www-form-urlencoded", (pairs.encode(),)
    return "", ()


_BOUNDARY = "windlass-2f7d0b6c51e94a0c8d3e"


def _multipart(
    form: Mapping[str, str], upload: Upload, type_: str, piece: FilePiece
) -> tuple[str, tuple[bytes | FilePiece, ...]]:
    fields = "".join(
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{text}\r\n'
        for name, text in form.items()
    )
    file = upload.path.rpartition("/")[2]
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{_quoted(upload.field)}"; '
        f'filename="{_quoted(file)}"\r\nContent-Type: {type_}\r\n\r\n'
    )
    pieces = ((fields + head).encode(), piece, f"\r\n--{_BOUNDARY}--\r\n".encode())
    return f"multipart/form-data; boundary={_BOUNDARY}", pieces


def _quoted(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


_TYPES = {
    "json": "application/json", "txt": "text/plain", "csv": "text/csv", "html": "text/html", "xml": "application/xml",
    "pdf": "application/pdf", "zip": "application/zip", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg",
    "gif": "image/gif", "webp": "image/webp", "svg": "image/svg+xml", "mp3": "audio/mpeg", "wav": "audio/wav",
    "ogg": "audio/ogg", "m4a": "audio/mp4", "mp4": "video/mp4", "webm": "video/webm", "mov": "video/quicktime",
}  # fmt: skip


def _type_of(path: str) -> str:
    return _TYPES.get(path.rpartition(".")[2].lower(), "application/octet-stream")


def message_for(step: SmokeStep, saved: Mapping[str, Any]) -> str | None:
    """The WebSocket's first message; None when there is none."""
    if not step.has_send:
        return None
    value = filled(step.send, saved)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
