"""Where the visitor is from. May be empty, so that v1 can go on writing entries beside v2."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("entries", sa.Column("place", sa.Text))


def downgrade() -> None:
    op.drop_column("entries", "place")
