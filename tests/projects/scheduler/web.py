"""Shows the lines that beat wrote."""

from pathlib import Path

from server import VERSION, serve

LOG = Path("/beats/log")


def beats(_path: str, _body: bytes) -> str:
    """Every line: time, host, version, and one of start, tick, stop."""
    return LOG.read_text() if LOG.exists() else ""


serve({"/": lambda _path, _body: f"scheduler {VERSION}\n", "/beats": beats})
