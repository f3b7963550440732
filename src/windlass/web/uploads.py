"""Takes in a deploy request: JSON alone, or a form whose file goes straight to the disk while it arrives."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO

from fastapi import Request
from pydantic import TypeAdapter
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from starlette.requests import ClientDisconnect

from windlass.domain.errors import Refused, Usage
from windlass.ports.outside import Outside
from windlass.wire import PARAMETERS_FIELD, SOURCE_FIELD
from windlass.wire.bodies import DeployBody

PARAMETERS_LIMIT = 4 << 20
_BODY: TypeAdapter[DeployBody] = TypeAdapter(DeployBody)


class UploadTooLarge(Refused):
    http_status, default_code = 413, "upload_too_large"


@dataclass
class Incoming:
    """A deploy request. `upload` is removed at the end, unless `keep` was set: then someone else needs it."""

    body: DeployBody
    upload: Path | None = None
    keep: bool = False


@asynccontextmanager
async def receive(request: Request, outside: Outside, limit: int) -> AsyncIterator[Incoming]:
    """The request's parameters and file.

    Raises Usage for a malformed body, UploadTooLarge, pydantic's ValidationError for wrong parameters.
    """
    kind, boundary = _content_type(request)
    if kind == "application/json":
        yield Incoming(_BODY.validate_json(await _small_body(request)))
    elif kind == "multipart/form-data" and boundary:
        incoming: Incoming | None = None
        path = outside.trees.uploads() / f"{secrets.token_hex(8)}.tar"
        try:
            incoming = await _read_form(request, boundary, path, limit)
            yield incoming
        finally:
            if incoming is None or not incoming.keep:
                path.unlink(missing_ok=True)
    else:
        raise Usage("the body must be application/json or multipart/form-data", code="content_type")


async def _read_form(request: Request, boundary: bytes, path: Path, limit: int) -> Incoming:
    with path.open("xb") as file:
        form = _Form(boundary, file, limit)
        await form.read(request)
    if not form.has_file:
        raise Usage(f"the form has no file {SOURCE_FIELD!r}", code="no_upload")
    return Incoming(_BODY.validate_json(bytes(form.parameters) or b"{}"), path)


def _content_type(request: Request) -> tuple[str, bytes]:
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    boundary = message.get_param("boundary", "")
    return message.get_content_type(), boundary.encode() if isinstance(boundary, str) else b""


async def _small_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > PARAMETERS_LIMIT:
            raise UploadTooLarge(f"the parameters are larger than {PARAMETERS_LIMIT} bytes")
    return bytes(body)


class _Form:
    """A multipart form with two parts, parsed as it arrives."""

    def __init__(self, boundary: bytes, file: IO[bytes], limit: int) -> None:
        self.parameters = bytearray()
        self.has_file = False
        self._file = file
        self._limit = limit
        self._size = 0
        self._name = b""
        self._header = b""
        self._value = b""
        self._complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

    async def read(self, request: Request) -> None:
        try:
            async for chunk in request.stream():
                self._parser.write(chunk)
            self._parser.finalize()
        except FormParserError as error:
            raise Usage(f"the form is malformed: {error}", code="malformed_body") from error
        except ClientDisconnect as error:
            raise Usage("the upload broke off", code="upload_incomplete") from error
        if not self._complete:
            raise Usage("the upload broke off", code="upload_incomplete")

    def _begin(self) -> None:
        self._name = self._header = self._value = b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            message = Message()
            message["content-disposition"] = self._value.decode("utf-8", "replace")
            name = message.get_param("name", "", header="content-disposition")
            self._name = name.encode() if isinstance(name, str) else b""
            self.has_file = self.has_file or self._name == SOURCE_FIELD.encode()
        self._header = self._value = b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._name == SOURCE_FIELD.encode():
            self._size += end - start
            if self._size > self._limit:
                raise UploadTooLarge(
                    f"the upload is larger than {self._limit >> 20} MiB; nothing was touched",
                    hint="leave out what the app does not need, or deploy from Git",
                )
            self._file.write(data[start:end])
        elif self._name == PARAMETERS_FIELD.encode():
            self.parameters += data[start:end]
            if len(self.parameters) > PARAMETERS_LIMIT:
                raise UploadTooLarge(f"the parameters are larger than {PARAMETERS_LIMIT} bytes")
        else:
            raise Usage(
                f"the form has an unknown part {self._name.decode('utf-8', 'replace')!r}", code="malformed_body"
            )

    def _end(self) -> None:
        self._complete = True
