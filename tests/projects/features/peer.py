"""Shares web's network, and so reaches it on its own loopback address."""

import urllib.request

from server import VERSION, Unavailable, serve


def peer(_path: str, _body: bytes) -> str:
    """Both versions: "peer v1 > web v1"."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:8000/health", timeout=3) as answer:
            return f"peer {VERSION} > web {answer.headers['X-Version']}"
    except OSError as error:
        raise Unavailable(f"web: {error}") from error


serve({"/": peer, "/peer": peer}, port=8001)
