"""Durations and sizes: what is understood, what is refused, and that both ways agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.domain.errors import Usage
from windlass.domain.units import format_duration, format_size, parse_duration, parse_size

DURATIONS = [
    ("250ms", 0.25),
    ("10s", 10),
    ("5m", 300),
    ("2h", 7200),
    ("1d", 86400),
    ("1m30s", 90),
    ("1m0s", 60),
    ("1h2m3.5s", 3723.5),
    ("1.5s", 1.5),
    (" 10s ", 10),
    ("0", 0),
    ("0s", 0),
    ("100us", 0.0001),
]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "s", "10 s", "-1s", "1y", "1s!", "1s 2", "ten", "1..5s", "1_0s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(Usage) as caught:
        parse_duration(text)
    assert caught.value.code == "duration_invalid"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "250ms"), (90, "1m30s"), (86400, "1d"), (3600, "1h"), (1.5, "1s500ms"), (-1, "0s")],
)
def test_durations_are_written(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(0, 10**12))
def test_a_written_duration_is_read_back(milliseconds: int) -> None:
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


SIZES = [
    ("64MiB", 64 << 20),
    ("10GB", 10**10),
    ("100m", 100 << 20),
    ("1k", 1024),
    ("1KB", 1000),
    ("1.5GiB", 3 << 29),
    ("512", 512),
    ("512 b", 512),
    ("2TiB", 2 << 40),
]


@pytest.mark.parametrize(("text", "size"), SIZES)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1xb", "1 2", "1e3", "0x10"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(Usage) as caught:
        parse_size(text)
    assert caught.value.code == "size_invalid"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0B"), (512, "512B"), (64 << 20, "64MiB"), (3 << 29, "1.5GiB"), (5 << 40, "5TiB")]
)
def test_sizes_are_written(size: int, text: str) -> None:
    assert format_size(size) == text
