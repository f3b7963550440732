"""Where apps come from, their hooks, and what is known of a release's commit."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("releases") as releases:
        for name in ("author", "message", "watched"):
            releases.add_column(sa.Column(name, sa.Text(), nullable=False, server_default=""))
        releases.add_column(sa.Column("committed_at", sa.Double()))
    _create_sources()
    op.create_table(
        "secrets",
        _app_key(),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "hook_marks",
        _app_key(),
        sa.Column("mark", sa.Text(), primary_key=True),
        sa.Column("seen_at", sa.Double(), nullable=False, index=True),
    )


def _app_key() -> "sa.Column[str]":
    key = sa.ForeignKey("apps.name", ondelete="CASCADE")
    return sa.Column("app", sa.Text(), key, primary_key=True, nullable=False)


def _create_sources() -> None:
    texts = ("kind", "url", "branch", "path", "auth", "user", "public_key", "host_keys", "status", "seen", "problem")
    op.create_table(
        "sources",
        _app_key(),
        *(sa.Column(name, sa.Text(), nullable=False) for name in texts),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("compose", "watch")),
        *(sa.Column(name, sa.Boolean(), nullable=False) for name in ("submodules", "lfs")),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("set_at", "poll_s")),
    )
