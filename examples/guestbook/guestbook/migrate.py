"""Brings the database's tables up to this version: python -m guestbook.migrate."""

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Upgrade; tables of a newer version are left alone, as each version can work with the next one's."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    revision = current_revision()
    if revision is None or revision in known:
        command.upgrade(config, "head")
        print(f"database: {revision or 'empty'} -> {current_revision()}")
    else:
        print(f"database: {revision} is newer than this version; nothing to do")


def current_revision() -> str | None:
    """The revision that the database is at; none when it is empty."""
    with sqlalchemy.create_engine("postgresql+psycopg://").connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


if __name__ == "__main__":
    main()
