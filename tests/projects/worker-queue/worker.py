"""Takes jobs from the queue and records each with its version. On SIGTERM it finishes the job in hand."""

import json
import os
import signal
import socket
import time

from resp import Redis, RedisError

VERSION = os.environ.get("VERSION", "v1")
JOB_SECONDS = float(os.environ.get("JOB_SECONDS", "0.2"))
stopping = False


def stop(*_: object) -> None:
    global stopping
    stopping = True


def work(redis: Redis) -> None:
    """Take, do, record; a job that was taken but never recorded stays in the list "taken"."""
    while not stopping:
        job = redis.do("BRPOPLPUSH", "jobs", "taken", 1)
        if job is not None:
            time.sleep(JOB_SECONDS)
            redis.do("RPUSH", "done", json.dumps({"job": int(job), "version": VERSION, "host": socket.gethostname()}))
            redis.do("LREM", "taken", 1, job)


def main() -> None:
    signal.signal(signal.SIGTERM, stop)
    print(f"worker {VERSION} starts", flush=True)
    while not stopping:
        try:
            with Redis() as redis:
                work(redis)
        except RedisError as error:
            print(f"worker: {error}", flush=True)
            time.sleep(0.5)
    print(f"worker {VERSION} ends", flush=True)


main()
