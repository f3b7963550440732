"""Values in the syntax of Compose's environment files, written so that each one survives byte for byte."""

from __future__ import annotations

import json
from collections.abc import Mapping

from windlass.domain.errors import Usage
from windlass.domain.names import variable_name

# In double quotes Compose undoes `\\`, `\"` and letters, and `$$`; a bare CR LF would become LF.
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "$": "$$", "\n": "\\n", "\r": "\\r"})


def encode(values: Mapping[str, str]) -> bytes:
    """The file for `--env-file`. Raises Usage value_invalid for what no process environment can hold."""
    return "".join(f'{variable_name(name)}="{_quoted(name, values[name])}"\n' for name in sorted(values)).encode()


def _quoted(name: str, value: str) -> str:
    if "\0" in value:
        raise Usage(f"the value of {name} contains a NUL byte, which no environment can hold", code="value_invalid")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Usage(f"the value of {name} is not valid UTF-8 text", code="value_invalid") from error
    return value.translate(_ESCAPES)


# Compose itself reads a user's file: as the `env_file` of the only service, on standard input.
READER = json.dumps({"services": {"read": {"image": "none", "env_file": [{"path": "/dev/stdin"}]}}}).encode()


def read_back(document: str) -> dict[str, str]:
    """The values in what Compose printed for `READER`; names without a value are left out."""
    found = json.loads(document)["services"]["read"].get("environment") or {}
    return {name: unescape(value) for name, value in found.items() if value is not None}


def unescape(text: str) -> str:
    """A string as `docker compose config` prints it, without the doubling of `$`."""
    return text.replace("$$", "$")
