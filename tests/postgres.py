"""A PostgreSQL for tests, in a container of its own; each test gets an empty database."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import docker.errors
import psycopg

IMAGE = "postgres:16-alpine"
LIMIT_S = 120.0


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of its first database; the server is gone afterwards. It keeps nothing on the disk."""
    client = docker.from_env()
    password = secrets.token_urlsafe(12)
    container = client.containers.run(
        IMAGE,
        name=f"wlt-postgres-{secrets.token_hex(4)}",
        environment={"POSTGRES_PASSWORD": password},
        tmpfs={"/var/lib/postgresql/data": ""},
        detach=True,
    )
    try:
        container.reload()
        address = next(n["IPAddress"] for n in container.attrs["NetworkSettings"]["Networks"].values())
        url = f"postgresql://postgres:{password}@{address}/postgres"
        _await(url)
        yield url
    finally:
        container.remove(force=True, v=True)
        client.close()


@contextmanager
def empty_database(server: str) -> Iterator[str]:
    """The URL of a new database of that server."""
    name = f"w{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield f"{server.rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _await(url: str) -> None:
    """The image's own start ends the server once between: it counts when it answers on TCP, which it does only then."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        try:
            with psycopg.connect(url, connect_timeout=2):
                return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
