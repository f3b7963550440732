"""Runs Alembic's revisions on an open connection; imported only when a migration is due."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from windlass.adapters.store.tables import metadata

SCRIPTS = Path(__file__).parent / "migrations"


def scripts() -> ScriptDirectory:
    return ScriptDirectory(str(SCRIPTS))


def upgrade(connection: Connection, revision: str) -> None:
    """In the caller's transaction: a migration that fails leaves the database as it was."""
    directory = scripts()

    def steps(found: Any, _context: Any) -> Any:
        return directory._upgrade_revs(revision, found)

    with EnvironmentContext(Config(), directory, fn=steps, destination_rev=revision) as context:
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True)
        context.run_migrations()
