"""Protected apps, and what waits for a second person's approval."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("projects", sa.Column("approval_s", sa.Double(), nullable=False, server_default=sa.text("0")))
    op.create_table(
        "protections",
        sa.Column("app", sa.Text(), sa.ForeignKey("apps.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("approval_s", sa.Double(), nullable=False),
    )
    op.create_table(
        "approvals",
        sa.Column("deployment", sa.Text(), sa.ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.Double()),
        sa.Column("note", sa.Text(), nullable=False),
    )
