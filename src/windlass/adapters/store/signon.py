"""The OpenID provider that people log in by, sealed as a whole: a row of the keyring."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, select

from windlass.adapters.store.database import Database
from windlass.adapters.store.sealed import keyring_label
from windlass.adapters.store.tables import keyring
from windlass.adapters.vault import Vault
from windlass.domain.oidc import Provider

_NAME = "oidc"


class SqlSignOn:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def get(self) -> Provider | None:
        with self._database.read() as connection:
            return self._get(connection)

    def change(self, change: Callable[[Provider | None], Provider | None]) -> Provider | None:
        with self._database.write() as connection:
            after = change(self._get(connection))
            connection.execute(delete(keyring).where(keyring.c.name == _NAME))
            if after is not None:
                sealed = self._vault.seal(json.dumps(asdict(after)).encode(), keyring_label(_NAME))
                connection.execute(insert(keyring).values(name=_NAME, sealed=sealed))
        return after

    def _get(self, connection: Connection) -> Provider | None:
        sealed = connection.execute(select(keyring.c.sealed).where(keyring.c.name == _NAME)).scalar()
        return None if sealed is None else Provider(**json.loads(self._vault.open(sealed, keyring_label(_NAME))))
