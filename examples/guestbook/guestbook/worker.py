"""Starts the worker: python -m guestbook.worker. On SIGTERM it finishes the job in hand, then ends."""

import redis
from rq import Queue, SimpleWorker

from guestbook import jobs, version  # noqa: F401  jobs: loaded now, not with the first job
from guestbook.stores import QUEUE, REDIS_URL


def main() -> None:
    """Work until SIGTERM."""
    connection = redis.from_url(REDIS_URL)
    print(f"guestbook worker {version.NAME} waits for entries", flush=True)
    SimpleWorker([Queue(QUEUE, connection=connection)], connection=connection).work(logging_level="WARNING")


if __name__ == "__main__":
    main()
