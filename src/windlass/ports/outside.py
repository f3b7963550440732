"""Everything at once, as main.py builds it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from windlass.domain.queueing import Limits
from windlass.ports.caller import Caller
from windlass.ports.edge import Edge, Prober
from windlass.ports.engine import Engine
from windlass.ports.machine import Clock, Machine
from windlass.ports.oidc import OidcClient
from windlass.ports.outposts import OutpostMemory, Outposts
from windlass.ports.recent import Recent
from windlass.ports.sources import Compose, Git, Trees
from windlass.ports.store import Store
from windlass.ports.tally import Tally
from windlass.ports.visitor import Visitor


@dataclass(frozen=True)
class Outside:
    """Everything a use-case may talk to, built once in main.py."""

    instance: str
    store: Store
    engine: Engine
    compose: Compose
    git: Git
    trees: Trees
    edge: Edge
    prober: Prober
    outposts: Outposts
    visitor: Visitor
    machine: Machine
    clock: Clock
    pool: str  # CIDR from which networks get their subnets
    domain: str = "localhost"
    http_port: int = 80
    hooks_host: str = ""  # under which webhooks come through the edge; no app can have it
    limits: Limits = Limits()
    owner: str = "here"  # of jobs: this process, as adapters.owner names it
    outpost_memory: OutpostMemory = field(default_factory=OutpostMemory)
    routes_lock: AbstractContextManager[Any] = field(default_factory=RLock)
    """Whoever reads the edge's routes to change them holds it, so that no older decision overwrites a newer one."""
    recent: Recent = field(default_factory=Recent)
    places: Recent = field(default_factory=lambda: Recent(float("inf"), 20_000))
    """Where live releases are reached: that never changes, and every deployment asks for those of all apps."""
    tally: Tally = field(default_factory=Tally)
    oidc: OidcClient | None = None
    """None: there is no log-in by an OpenID provider."""
    caller: Caller | None = None
    """None: nobody outside is told anything."""
