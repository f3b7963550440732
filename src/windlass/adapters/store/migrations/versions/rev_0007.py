"""The line of builds: the place that a running job has in it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("turn", sa.BigInteger()))
