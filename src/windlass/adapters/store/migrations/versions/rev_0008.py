"""Apps that are closed for maintenance, and who gets through all the same."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("apps", sa.Column("closed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("apps", sa.Column("passes", sa.JSON(), nullable=False, server_default=sa.text("'[]'")))
