"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _create_apps()
    _create_deployments()
    _create_jobs_and_events()
    _create_settings_of_apps()


def _app_key(*, primary: bool = True) -> "sa.Column[str]":
    key = sa.ForeignKey("apps.name", ondelete="CASCADE")
    return sa.Column("app", sa.Text(), key, primary_key=primary, nullable=False)


def _create_apps() -> None:
    op.create_table(
        "apps",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("live", sa.Integer()),
        sa.Column("running", sa.Boolean(), nullable=False),
        sa.Column("removing", sa.Boolean(), nullable=False),
        sa.Column("warm", sa.Integer()),
        sa.Column("warm_until", sa.Double(), nullable=False),
        sa.Column("scale", sa.JSON(), nullable=False),
        sa.Column("stopped_services", sa.JSON(), nullable=False),
        sa.Column("last_release", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.create_table(
        "releases",
        _app_key(),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("commit", sa.Text(), nullable=False),
        sa.Column("tree", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("images", sa.JSON(), nullable=False),
        sa.Column("live_at", sa.Double()),
        sa.Column("kept", sa.Boolean(), nullable=False),
    )
    op.create_table(
        "snapshots",
        sa.Column("app", sa.Text(), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["app", "number"], ["releases.app", "releases.number"], ondelete="CASCADE"),
    )


def _create_deployments() -> None:
    op.create_table(
        "deployments",
        sa.Column("id", sa.Text(), primary_key=True),
        _app_key(primary=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("release", sa.Integer()),
        sa.Column("previous", sa.Integer()),
        sa.Column("started_at", sa.Double()),
        sa.Column("live_at", sa.Double()),
        sa.Column("ended_at", sa.Double()),
        sa.Column("error", sa.JSON()),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
    )
    op.create_index("ix_deployments_status", "deployments", ["status"])
    op.create_index("ix_deployments_app_created_at", "deployments", ["app", "created_at"])
    op.create_table(
        "deployment_steps",
        sa.Column("deployment", sa.Text(), sa.ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double()),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
    )
    op.create_table(
        "held",
        sa.Column("deployment", sa.Text(), sa.ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )


def _create_jobs_and_events() -> None:
    op.create_table(
        "jobs",
        sa.Column("position", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text(), nullable=False, unique=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lock_key", sa.Text(), nullable=False),
        sa.Column("args", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("run_at", sa.Double(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=False),
        sa.Column("cancel", sa.Boolean(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sqlite_autoincrement=True,
    )
    is_running = sa.text("state = 'running'")
    op.create_index(
        "uq_jobs_running", "jobs", ["lock_key"], unique=True, sqlite_where=is_running, postgresql_where=is_running
    )
    op.create_index("ix_jobs_state_position", "jobs", ["state", "position"])
    op.create_table(
        "events",
        sa.Column("id", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("deployment", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_app_id", "events", ["app", "id"])
    op.create_index("ix_events_deployment_id", "events", ["deployment", "id"])


def _create_settings_of_apps() -> None:
    op.create_table(
        "variables",
        _app_key(),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
    )
    op.create_table(
        "consents",
        _app_key(),
        sa.Column("item", sa.Text(), primary_key=True),
        sa.Column("given_at", sa.Double(), nullable=False),
    )
    op.create_table(
        "resources",
        sa.Column("position", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("release", sa.Integer()),
        sa.Column("deployment", sa.Text(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_resources_app", "resources", ["app"])
    op.create_index("uq_resources_kind_ref", "resources", ["kind", "ref"], unique=True)
    op.create_index("ix_resources_kind_name", "resources", ["kind", "name"])
