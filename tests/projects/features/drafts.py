"""Keeps lines in an anonymous volume: POST / adds one, GET / shows all."""

from pathlib import Path

from server import serve

FILE = Path("/drafts/lines")


def index(_path: str, body: bytes) -> str:
    """Every line so far."""
    if body:
        with FILE.open("ab") as lines:
            lines.write(body + b"\n")
    return FILE.read_text() if FILE.exists() else ""


serve({"/": index})
