"""Says its version, and whether the database answers."""

from reach import postgres_answers, reach
from server import VERSION, Unavailable, serve


def index(_path: str, _body: bytes) -> str:
    if not postgres_answers("db"):
        raise Unavailable("the database does not answer")
    return f"api {VERSION} > db"


serve({"/": index, "/ready": index, "/reach": reach})
