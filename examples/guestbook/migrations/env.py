"""Runs the migrations on the database that PGHOST, PGUSER … name."""

import sqlalchemy
from alembic import context

with sqlalchemy.create_engine("postgresql+psycopg://").connect() as connection:
    # Rather fail than make a visitor wait for a lock on the table.
    connection.execute(sqlalchemy.text("SET lock_timeout = '5s'"))
    connection.commit()
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
