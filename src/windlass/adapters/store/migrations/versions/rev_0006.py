"""Previews: the rules of an app, and those that are there."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "preview_rules",
        sa.Column("app", sa.Text(), sa.ForeignKey("apps.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("keep_s", sa.Double(), nullable=False),
        sa.Column("memory", sa.BigInteger(), nullable=False),
        sa.Column("cpus", sa.Double(), nullable=False),
        sa.Column("pids", sa.Integer(), nullable=False),
    )
    op.create_table(
        "previews",
        sa.Column("app", sa.Text(), primary_key=True),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("fork", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
    )
    op.create_index("ix_previews_base", "previews", ["base"])
