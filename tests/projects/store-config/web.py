"""Counts visits in Redis, and shows what Redis was configured with and when it was started."""

from resp import Redis, RedisError
from server import VERSION, Unavailable, serve


def index(_path: str, _body: bytes) -> object:
    """Count one visit."""
    try:
        with Redis() as redis:
            visits = redis.do("INCR", "visits")
            maxmemory = redis.do("CONFIG", "GET", "maxmemory")[1]
            lines = redis.do("INFO", "server").splitlines()
    except RedisError as error:
        raise Unavailable(str(error)) from error
    run_id = next(line for line in lines if line.startswith("run_id:"))
    return {"version": VERSION, "visits": visits, "maxmemory": int(maxmemory), "redis": run_id.removeprefix("run_id:")}


def ready(_path: str, _body: bytes) -> str:
    """Whether Redis answers."""
    try:
        with Redis() as redis:
            return str(redis.do("PING"))
    except RedisError as error:
        raise Unavailable(str(error)) from error


serve({"/": index, "/ready": ready})
