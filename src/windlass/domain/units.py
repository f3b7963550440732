"""Durations and sizes: from the words of a file or a command to seconds and bytes, and back."""

from __future__ import annotations

import re

from windlass.domain.errors import Usage

_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|us|µs|ns|d|h|m|s)")

# A letter alone counts in 1024, as Docker does; kB, MB, GB are what the words say.
_BYTES = {
    "": 1,
    "b": 1,
    **{unit: 1024**n for n, unit in enumerate("kmgt", 1)},
    **{unit + "ib": 1024**n for n, unit in enumerate("kmgt", 1)},
    **{unit + "b": 1000**n for n, unit in enumerate("kmgt", 1)},
}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Z]*)")


def parse_duration(text: str) -> float:
    """Seconds of `250ms`, `10s`, `5m`, `2h`, `1d`, `1m30s`; `0` needs no unit. Raises Usage duration_invalid."""
    stripped = text.strip()
    if stripped == "0":
        return 0.0
    parts = _DURATION_PART.findall(stripped)
    if not parts or "".join(number + unit for number, unit in parts) != stripped:
        raise Usage(
            f"{text!r} is not a duration", code="duration_invalid", hint="write it as 250ms, 10s, 5m, 2h, 1d or 1m30s"
        )
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """The shortest exact spelling down to milliseconds: `1m30s`, `250ms`, `0s`."""
    rest = round(seconds * 1000)
    if rest <= 0:
        return "0s"
    words = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words)


def parse_size(text: str) -> int:
    """Bytes of `64MiB` (1024²), `10GB` (1000³), `100m` (1024², as Docker). Raises Usage size_invalid."""
    match = _SIZE.fullmatch(text.strip())
    factor = _BYTES.get(match.group(2).lower()) if match else None
    if match is None or factor is None:
        raise Usage(f"{text!r} is not a size", code="size_invalid", hint="write it as 64MiB, 10GB or 100m")
    return int(float(match.group(1)) * factor)


def format_size(size: int) -> str:
    """At most one digit after the point, in units of 1024: `64MiB`, `1.5GiB`, `512B`."""
    number = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.1f}".removesuffix(".0") + unit
        number /= 1024
    return f"{number:.1f}".removesuffix(".0") + "TiB"
