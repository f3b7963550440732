"""People, their rights, and the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("apps", sa.Column("project", sa.Text(), nullable=False, server_default="default"))
    _create_people()
    _create_tokens_and_sessions()
    _create_audit()


def _user_key(*, primary: bool = True) -> "sa.Column[str]":
    key = sa.ForeignKey("users.name", ondelete="CASCADE")
    return sa.Column("user", sa.Text(), key, primary_key=primary, nullable=False)


def _create_people() -> None:
    op.create_table(
        "projects",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("protected", sa.JSON(), nullable=False),
    )
    op.create_table(
        "users",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("admin", sa.Boolean(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
    )
    op.create_table(
        "second_factors",
        _user_key(),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "memberships",
        _user_key(),
        sa.Column("project", sa.Text(), sa.ForeignKey("projects.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("role", sa.Text(), nullable=False),
    )


def _create_tokens_and_sessions() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False, unique=True),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double()),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("used_at", sa.Double()),
    )
    op.create_index("ix_tokens_user", "tokens", ["user"])
    op.create_table(
        "sessions",
        sa.Column("hash", sa.Text(), primary_key=True),
        _user_key(primary=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
    )
    op.create_table(
        "links",
        sa.Column("hash", sa.Text(), primary_key=True),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
    )
    op.create_table(
        "login_attempts",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("locked_until", sa.Double(), nullable=False),
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("mac", sa.Text(), nullable=False),
    )
    op.create_index("ix_audit_app", "audit", ["app"])
    op.create_table(
        "keyring",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )
