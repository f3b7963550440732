"""An OpenID provider, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from windlass.domain.oidc import Endpoints, Provider


class SignOn(Protocol):
    """The provider that people log in by, sealed with its secret."""

    def get(self) -> Provider | None: ...
    def change(self, change: Callable[[Provider | None], Provider | None]) -> Provider | None:
        """In one transaction."""
        ...


class OidcClient(Protocol):
    """Each call raises OutOfReach when nobody answers in time, LoginRefused for an answer that will not do."""

    def discover(self, issuer: str) -> Endpoints: ...
    def exchange(self, provider: Provider, endpoints: Endpoints, code: str, verifier: str) -> str:
        """The identity token that the code stands for."""
        ...

    def read(self, endpoints: Endpoints, token: str) -> Mapping[str, Any]:
        """What it claims, when one of the provider's keys has signed it."""
        ...
