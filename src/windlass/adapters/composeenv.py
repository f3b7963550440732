"""Values and models on their way into Compose and back, written so that each value survives byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

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


_SURROGATES = re.compile(r"\\\\|(?:\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2})")


def as_yaml(model: Mapping[str, Any]) -> bytes:
    """The model as JSON that is YAML too: that knows no pairs of `\\u` escapes, and no bare control characters."""
    return _SURROGATES.sub(lambda m: _joined(m[0]), json.dumps(model)).encode()


def _joined(escape: str) -> str:
    return str(json.loads(f'"{escape}"')) if escape.startswith("\\u") else escape


_COMPLAINTS = ("unterminated quoted value", "unexpected character", "key cannot contain a space", "zero length string")


def complaint(said: str) -> str:
    """Line and kind of what Compose found wrong with an environment file; its own words repeat the file's text."""
    line = re.search(r"\bline (\d+):", said)
    kind = next((words for words in _COMPLAINTS if words in said), "not in the form NAME=value")
    return f"line {line[1]}: {kind}" if line else kind
