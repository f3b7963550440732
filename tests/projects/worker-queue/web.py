"""Puts jobs into the queue, and lists what became of them."""

import json
from collections.abc import Callable
from functools import wraps
from urllib.parse import parse_qs, urlsplit

from resp import Redis, RedisError
from server import VERSION, Route, Unavailable, serve


def with_redis(route: Callable[[Redis, str], object]) -> Route:
    """A route that needs Redis: 503 when that is gone."""

    @wraps(route)
    def wrapped(path: str, _body: bytes) -> object:
        try:
            with Redis() as redis:
                return route(redis, path)
        except RedisError as error:
            raise Unavailable(str(error)) from error

    return wrapped


@with_redis
def jobs(redis: Redis, path: str) -> object:
    """Add one job, or ?n= of them; answers their numbers."""
    numbers = [redis.do("INCR", "last") for _ in range(int(parse_qs(urlsplit(path).query).get("n", ["1"])[0]))]
    for number in numbers:
        redis.do("LPUSH", "jobs", number)
    return {"version": VERSION, "jobs": numbers}


@with_redis
def done(redis: Redis, _path: str) -> object:
    """Every job that was finished: {"job", "version", "host"}, oldest first."""
    return [json.loads(line) for line in redis.do("LRANGE", "done", 0, -1)]


@with_redis
def state(redis: Redis, _path: str) -> object:
    """How many jobs wait, are in a worker's hands, and are done."""
    counts = {name: redis.do("LLEN", name) for name in ("jobs", "taken", "done")}
    return {"version": VERSION, **counts}


serve({"/": state, "/ready": state, "/jobs": jobs, "/done": done})
