"""Which columns are encrypted, and the label that binds each value to its own row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, LargeBinary, Table, func

from windlass.adapters.store.sourcetables import secrets
from windlass.adapters.store.tables import answers, held, keyring, second_factors, snapshots, variables
from windlass.adapters.vault import PREFIX_BYTES


def variable_label(app: str, name: str) -> str:
    return f"variables:{app}:{name}"


def snapshot_label(app: str, number: int) -> str:
    return f"snapshots:{app}:{number}"


def held_label(deployment: str) -> str:
    return f"held:{deployment}:values"


def second_factor_label(user: str) -> str:
    return f"second_factors:{user}:secret"


def keyring_label(name: str) -> str:
    return f"keyring:{name}:key"


def secret_label(app: str, name: str) -> str:
    return f"secrets:{app}:{name}"


def answer_label(id: str) -> str:
    return f"answers:{id}:answer"


@dataclass(frozen=True)
class SealedTable:
    """A table with the column `sealed`; `label` takes the values of its primary key, `words` tell people the row."""

    table: Table
    label: Callable[..., str]
    words: str

    @property
    def key(self) -> tuple[Column[Any], ...]:
        return tuple(self.table.primary_key.columns)

    @property
    def prefix(self) -> Any:
        """Format and key id, as an expression of SQL."""
        return func.substr(self.table.c.sealed, 1, PREFIX_BYTES, type_=LargeBinary())

    def is_row(self, key: tuple[str | int, ...]) -> Any:
        first, *more = (column == value for column, value in zip(self.key, key, strict=True))
        for condition in more:
            first = first & condition
        return first


# The order in which a rotation goes through them.
SEALED: Mapping[str, SealedTable] = {
    one.table.name: one
    for one in (
        SealedTable(held, held_label, "the values given with the deployment {0}"),
        SealedTable(variables, variable_label, "the variable {1} of {0}"),
        SealedTable(secrets, secret_label, "the secret {1} of {0}"),
        SealedTable(snapshots, snapshot_label, "release {1} of {0}"),
        SealedTable(second_factors, second_factor_label, "the second factor of {0}"),
        SealedTable(keyring, keyring_label, "what is kept for {0}"),
        SealedTable(answers, answer_label, "an answer that is kept for a day"),
    )
}
