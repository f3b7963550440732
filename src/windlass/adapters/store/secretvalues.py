"""Every value that must not be printed, of all apps at once; read anew only when one of them has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress

from sqlalchemy import LargeBinary, func, select

from windlass.adapters.store.database import Database
from windlass.adapters.store.sealed import secret_label, variable_label
from windlass.adapters.store.sourcetables import secrets
from windlass.adapters.store.tables import variables
from windlass.adapters.vault import PREFIX_BYTES, Vault
from windlass.domain.errors import Refused

_NONCE_BYTES = 12
_SOURCES = ((variables, variable_label), (secrets, secret_label))


class SqlSecretValues:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def mark(self) -> str:
        """Another one whenever a value was set, changed or removed: each is sealed under a nonce of its own."""
        whole = hashlib.sha256()
        with self._database.read() as connection:
            for table, _ in _SOURCES:
                nonce = func.substr(table.c.sealed, PREFIX_BYTES + 1, _NONCE_BYTES, type_=LargeBinary())
                for row in connection.execute(select(nonce).order_by(table.c.app, table.c.name)):
                    whole.update(bytes(row[0]))
        return whole.hexdigest()

    def all(self) -> Mapping[str, str]:
        """App and name -> value; one that does not open is left out."""
        found = {}
        with self._database.read() as connection:
            rows = [(label, row) for table, label in _SOURCES for row in connection.execute(select(table)).all()]
        for label, row in rows:
            with suppress(Refused):
                plain = self._vault.open(row.sealed, label(row.app, row.name))
                found[f"{row.app}_{row.name}"] = plain.decode("utf-8", "surrogateescape")
        return found
