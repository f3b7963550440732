"""Says its version and the api's, so that a mix of versions shows: "web v1 > api v1 > db"."""

import urllib.request

from reach import reach
from server import VERSION, Unavailable, serve


def index(_path: str, _body: bytes) -> str:
    try:
        with urllib.request.urlopen("http://api:8000/", timeout=3) as answer:
            return f"web {VERSION} > {answer.read().decode()}"
    except OSError as error:
        raise Unavailable(f"api: {error}") from error


serve({"/": index, "/ready": index, "/reach": reach})
