"""Alembic's revisions; run by migrate.py, which needs no env.py."""
