"""What is asked of an outside service from where an app will run, and what came of it.

The words of `Reply.step` and `Reply.why` are the whole language between the child that asks and what is told of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    POSTGRES = "postgres"
    REDIS = "redis"
    S3 = "s3"
    HTTP = "http"
    MYSQL = "mysql"
    AMQP = "amqp"
    MONGODB = "mongodb"
    TCP = "tcp"  # known by its address only


class Tls(StrEnum):
    """How much of it the address asks for."""

    NONE = "none"
    PREFER = "prefer"  # if the server can
    REQUIRE = "require"  # whoever answers
    CHAIN = "chain"  # a certificate of a known authority
    FULL = "full"  # and for this host


@dataclass(frozen=True)
class Target:
    """One outside service as a variable names it. `servers`: host and port; any one of them will do.

    `name`: the database, its number, the bucket or the path.
    """

    variable: str
    kind: Kind
    servers: tuple[tuple[str, int], ...]
    tls: Tls = Tls.NONE
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    name: str = field(default="", repr=False)
    region: str = ""
    options: str = field(default="", repr=False)  # PostgreSQL's own, as in the URL
    knows_login: bool = True  # False: who logs in is told somewhere else

    @property
    def place(self) -> str:
        """For people: where it is, and nothing else of it."""
        return ", ".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.servers)


class Step(StrEnum):
    """Which of the things that have to work did not; in the order in which they are tried."""

    DONE = ""
    NAME = "name"
    NETWORK = "network"
    TLS = "tls"
    PROTOCOL = "protocol"
    CREDENTIALS = "credentials"
    PERMISSION = "permission"
    DATABASE = "database"
    BUCKET = "bucket"
    BUSY = "busy"  # it is there, and cannot be used just now
    UNASKED = "unasked"


class Depth(StrEnum):
    """How far it was asked, when all of that went well."""

    LOGIN = "login"
    ANSWER = "answer"
    CONNECTION = "connection"


@dataclass(frozen=True)
class Reply:
    """`why` is one word within a step, see `domain.reachwords`; `code` is what the server itself calls it."""

    step: Step = Step.DONE
    why: str = ""
    code: str = ""
    depth: Depth = Depth.CONNECTION
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        return self.step is Step.DONE


@dataclass(frozen=True)
class Standpoint:
    """Where a container of some services would stand in the engine's networks.

    `own`: "open", "closed" (all of the app's own networks of these services are `internal`), or "" without one.
    `shared`: names of external networks. `hosts`: `name:address` of `extra_hosts`. `machine`: on the machine's own.
    """

    own: str = ""
    shared: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    machine: bool = False


@dataclass(frozen=True)
class Visit:
    """A target to be asked from a standpoint. `strict`: what is wrong with it refuses a deploy.

    `settable`: windlass keeps its value; else it is written in the Compose file. `unasked`: why it is not asked.
    """

    target: Target
    standpoint: Standpoint
    services: tuple[str, ...]
    strict: bool = True
    settable: bool = True
    unasked: str = ""
