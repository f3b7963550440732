"""People with every role, over a real store, and ways to ask the application as each of them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from windlass.domain import credentials
from windlass.domain.credentials import hash_password, hash_secret, token_text
from windlass.domain.people import Project, Token, User
from windlass.domain.rights import DEFAULT_PROJECT, Role
from windlass.ports.outside import Outside
from windlass.usecases import logins
from windlass.web.guard import Guard, Owner

PASSWORD = "a stork on the chimney"
HTTPS = "https://windlass"
HTTP = "http://windlass"


@dataclass
class Town:
    """`tokens`: who -> token with all that they may. Viewer to owner have their role in the default project."""

    app: FastAPI
    outside: Outside
    tokens: dict[str, str] = field(default_factory=dict)

    def settle(self) -> Town:
        now = self.outside.clock.now()
        self.outside.store.users.add(User("admin", now, admin=True))
        for role in Role:
            self.outside.store.users.add(User(role.value, now))
            self.outside.store.users.set_role(role.value, DEFAULT_PROJECT, role)
        self.outside.store.projects.add(Project("other", now))
        self.outside.store.users.add(User("foreign", now))
        self.outside.store.users.set_role("foreign", "other", Role.OWNER)
        self.outside.store.users.add(User("nobody", now))
        for user in self.outside.store.users.all():
            self.tokens[user.name] = self.token(user.name)
        return self

    def token(self, user: str, *scopes: str, **changes: Any) -> str:
        text = token_text(secrets.token_bytes(32))
        now = self.outside.clock.now()
        known = {"id": secrets.token_hex(4), "name": "t", "user": user, "hash": hash_secret(text), "created_at": now}
        self.outside.store.tokens.add(Token(**{**known, "scopes": scopes or ("all",), **changes}))
        return text

    def ask(self, method: str, path: str, who: str = "", **more: Any) -> httpx2.Response:
        """Over TCP as `who`, with all that they may; "" as a stranger."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return self.send(method, path, {**headers, **more.pop("headers", {})}, **more)

    def send(
        self, method: str, path: str, headers: Mapping[str, str], base: str = HTTP, **more: Any
    ) -> httpx2.Response:
        async def one() -> httpx2.Response:
            guard = Guard(self.app, self.app.state.authentication)
            transport = httpx2.ASGITransport(guard, raise_app_exceptions=False, client=("192.0.2.7", 4000))
            async with httpx2.AsyncClient(transport=transport, base_url=base) as client:
                return await client.request(method, path, headers=dict(headers), **more)

        return asyncio.run(one())

    def own(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """As the owner, by the unix socket."""

        async def one() -> httpx2.Response:
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(Owner(self.app)), base_url=HTTP) as client:
                return await client.request(method, path, **more)

        return asyncio.run(one())

    def audited(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Actor, action and data, oldest first."""
        found = self.outside.store.audit.entries(limit=1000)
        return [(e.actor, e.action, dict(e.data)) for e in reversed(found)]


def town_with_passwords(app: FastAPI, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Town:
    """`admin` and `viewer` have a password; hashes are made cheap, so that many can be tried."""
    monkeypatch.setattr(credentials, "_SCRYPT", (8, 8, 1))
    monkeypatch.setattr(logins, "NO_PASSWORD", credentials.NO_PASSWORD.replace("$15$8$3$", "$8$8$1$"))
    made = Town(app, outside).settle()
    for name in ("admin", "viewer"):
        outside.store.users.set_password(name, hash_password(PASSWORD, b"s" * 16))
    return made
