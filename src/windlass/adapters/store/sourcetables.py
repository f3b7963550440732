"""The tables of what an app comes from: its source, the secrets for it, what its webhook has brought, its previews."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, ForeignKey, Integer, LargeBinary, Table, Text

from windlass.adapters.store.tables import metadata


def _app_key() -> Column[str]:
    return Column("app", Text, ForeignKey("apps.name", ondelete="CASCADE"), primary_key=True)


# Where releases come from; an environment is an app of its own, with a source of its own.
sources = Table(
    "sources",
    metadata,
    _app_key(),
    Column("kind", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("set_at", Double, nullable=False),
    Column("branch", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("compose", JSON, nullable=False),
    Column("watch", JSON, nullable=False),
    Column("submodules", Boolean, nullable=False),
    Column("lfs", Boolean, nullable=False),
    Column("poll_s", Double, nullable=False),
    Column("auth", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("public_key", Text, nullable=False),
    Column("host_keys", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("seen", Text, nullable=False),
    Column("problem", Text, nullable=False),
)

# Tokens and keys that are windlass's own for an app; never variables of the app.
secrets = Table(
    "secrets",
    metadata,
    _app_key(),
    Column("name", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

# What webhooks have brought already.
hook_marks = Table(
    "hook_marks",
    metadata,
    _app_key(),
    Column("mark", Text, primary_key=True),
    Column("seen_at", Double, nullable=False, index=True),
)

# An app without a row has no previews.
preview_rules = Table(
    "preview_rules",
    metadata,
    _app_key(),
    Column("most", Integer, nullable=False),
    Column("keep_s", Double, nullable=False),
    Column("memory", BigInteger, nullable=False),
    Column("cpus", Double, nullable=False),
    Column("pids", Integer, nullable=False),
)

# Not bound to `apps`: a preview is known until it is wholly gone, whatever became of the app that it is of.
previews = Table(
    "previews",
    metadata,
    Column("app", Text, primary_key=True),
    Column("base", Text, nullable=False, index=True),
    Column("number", BigInteger, nullable=False),
    Column("ref", Text, nullable=False),
    Column("fork", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("until", Double, nullable=False),
)
