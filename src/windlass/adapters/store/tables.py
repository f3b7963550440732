"""The tables; a change here needs a new revision in migrations/versions and its number in database.py."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts up by itself only in a column of exactly the type INTEGER.
Counter = BigInteger().with_variant(Integer(), "sqlite")


def _app_key() -> Column[str]:
    return Column("app", Text, ForeignKey("apps.name", ondelete="CASCADE"), primary_key=True)


apps = Table(
    "apps",
    metadata,
    Column("name", Text, primary_key=True),
    Column("created_at", Double, nullable=False),
    Column("live", Integer),
    Column("running", Boolean, nullable=False),
    Column("removing", Boolean, nullable=False),
    Column("warm", Integer),
    Column("warm_until", Double, nullable=False),
    Column("scale", JSON, nullable=False),
    Column("stopped_services", JSON, nullable=False),
    # Numbers are never given twice, also when the newest release was dropped: images and networks carry them.
    Column("last_release", Integer, nullable=False, server_default=text("0")),
    Column("project", Text, nullable=False, server_default="default"),
    Column("closed", Boolean, nullable=False, server_default=false()),
    Column("passes", JSON, nullable=False, server_default=text("'[]'")),
)

releases = Table(
    "releases",
    metadata,
    _app_key(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("source", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("commit", Text, nullable=False),
    Column("tree", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("images", JSON, nullable=False),
    Column("live_at", Double),
    Column("kept", Boolean, nullable=False),
    Column("author", Text, nullable=False, server_default=""),
    Column("message", Text, nullable=False, server_default=""),
    Column("committed_at", Double),
    Column("watched", Text, nullable=False, server_default=""),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("app", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
    ForeignKeyConstraint(["app", "number"], ["releases.app", "releases.number"], ondelete="CASCADE"),
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("app", Text, ForeignKey("apps.name", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False, index=True),
    Column("created_at", Double, nullable=False),
    Column("release", Integer),
    Column("previous", Integer),
    Column("started_at", Double),
    Column("live_at", Double),
    Column("ended_at", Double),
    Column("error", JSON(none_as_null=True)),
    Column("report", JSON, nullable=False),
    Column("options", JSON, nullable=False),
    Index(None, "app", "created_at"),
)

steps = Table(
    "deployment_steps",
    metadata,
    Column("deployment", Text, ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("parts", JSON, nullable=False),
    Column("result", JSON, nullable=False),
)

# Values that came with one deployment and belong to no app yet.
held = Table(
    "held",
    metadata,
    Column("deployment", Text, ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("position", Counter, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("lock_key", Text, nullable=False),
    Column("args", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("run_at", Double, nullable=False),
    Column("owner", Text, nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("cancel", Boolean, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("turn", BigInteger),  # its place in the line of builds, while it is in that
    Index(
        "uq_jobs_running",
        "lock_key",
        unique=True,
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
    Index(None, "state", "position"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("app", Text, nullable=False),
    Column("deployment", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Index(None, "app", "id"),
    Index(None, "deployment", "id"),
    sqlite_autoincrement=True,
)

variables = Table(
    "variables",
    metadata,
    _app_key(),
    Column("name", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("changed_at", Double, nullable=False),
)

consents = Table(
    "consents",
    metadata,
    _app_key(),
    Column("item", Text, primary_key=True),
    Column("given_at", Double, nullable=False),
)

# Not bound to `apps`: what an app leaves in the engine (a kept volume) stays known until it is forgotten by name.
resources = Table(
    "resources",
    metadata,
    Column("position", Counter, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("app", Text, nullable=False, index=True),
    Column("release", Integer),
    Column("deployment", Text, nullable=False),
    Index("uq_resources_kind_ref", "kind", "ref", unique=True),
    Index(None, "kind", "name"),
    sqlite_autoincrement=True,
)

# ---- people, and what they may --------------------------------------------------------------------------------------


def _user_key(*, primary: bool = True) -> Column[str]:
    return Column("user", Text, ForeignKey("users.name", ondelete="CASCADE"), primary_key=primary, nullable=False)


projects = Table(
    "projects",
    metadata,
    Column("name", Text, primary_key=True),
    Column("created_at", Double, nullable=False),
    Column("protected", JSON, nullable=False),
    Column("approval_s", Double, nullable=False, server_default=text("0")),
)

protections = Table("protections", metadata, _app_key(), Column("approval_s", Double, nullable=False))

approvals = Table(
    "approvals",
    metadata,
    Column("deployment", Text, ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True),
    Column("asked_by", Text, nullable=False),
    Column("asked_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("digest", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", Double),
    Column("note", Text, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("name", Text, primary_key=True),
    Column("created_at", Double, nullable=False),
    Column("admin", Boolean, nullable=False),
    Column("password", Text, nullable=False),
)

second_factors = Table(
    "second_factors",
    metadata,
    _user_key(),
    Column("sealed", LargeBinary, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("confirmed", Boolean, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    _user_key(),
    Column("project", Text, ForeignKey("projects.name", ondelete="CASCADE"), primary_key=True),
    Column("role", Text, nullable=False),
)

# `user` is no foreign key: the tokens of the socket's owner have none.
tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("user", Text, nullable=False, index=True),
    Column("hash", Text, nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("project", Text, nullable=False),
    Column("app", Text, nullable=False),
    Column("used_at", Double),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", Text, primary_key=True),
    _user_key(primary=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("source", Text, nullable=False),
)

# `user` "" is the first admin, who is no row yet.
links = Table(
    "links",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("user", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
)

login_attempts = Table(
    "login_attempts",
    metadata,
    Column("key", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("since", Double, nullable=False),
    Column("locked_until", Double, nullable=False),
)

# Numbers have no gaps: they are given in the transaction that writes the row, and not by the database.
audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("actor", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("app", Text, nullable=False, index=True),
    Column("data", Text, nullable=False),
    Column("mac", Text, nullable=False),
)

# Keys of single purposes, under the master key; a rotation of that leaves them as they are.
keyring = Table(
    "keyring",
    metadata,
    Column("name", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

# Of requests that carry an idempotency key: `id` is a hash of caller and key. `owner`: the process in which it runs, ""
# when it has ended.
answers = Table(
    "answers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created_at", Double, nullable=False, index=True),
    Column("owner", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
