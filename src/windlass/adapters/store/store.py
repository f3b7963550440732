"""The store as a whole: one database, one vault, and every part that windlass remembers."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from windlass.adapters.audithead import HeadFile
from windlass.adapters.store.answers import SqlAnswers
from windlass.adapters.store.approvals import SqlApprovals
from windlass.adapters.store.apps import SqlApps
from windlass.adapters.store.audit import SqlAudit
from windlass.adapters.store.bell import Bell
from windlass.adapters.store.consents import SqlConsents
from windlass.adapters.store.database import Database, open_database
from windlass.adapters.store.deployments import SqlDeployments
from windlass.adapters.store.events import SqlEvents
from windlass.adapters.store.figures import SqlFigures
from windlass.adapters.store.jobs import SqlJobs
from windlass.adapters.store.keys import SqlKeys
from windlass.adapters.store.logins import SqlLinks, SqlLoginAttempts, SqlSessions, SqlTokens
from windlass.adapters.store.previews import SqlPreviews
from windlass.adapters.store.projects import SqlProjects
from windlass.adapters.store.releases import SqlReleases
from windlass.adapters.store.resources import SqlResources
from windlass.adapters.store.sealed import SEALED
from windlass.adapters.store.secretvalues import SqlSecretValues
from windlass.adapters.store.signon import SqlSignOn
from windlass.adapters.store.sources import SqlSources
from windlass.adapters.store.users import SqlUsers
from windlass.adapters.store.variables import SqlVariables
from windlass.adapters.vault import Vault, open_vault


class SqlStore:
    """Implements ports.store.Store; safe to be used by many threads."""

    def __init__(self, database: Database, vault: Vault, audit_head: Path) -> None:
        work = Bell()
        self._database = database
        self.figures = SqlFigures(database)
        self.secret_values = SqlSecretValues(database, vault)
        self.apps = SqlApps(database)
        self.releases = SqlReleases(database, vault)
        self.deployments = SqlDeployments(database, vault, work)
        self.approvals = SqlApprovals(database, work, self.deployments)
        self.jobs = SqlJobs(database, work)
        self.events = SqlEvents(database)
        self.variables = SqlVariables(database, vault)
        self.consents = SqlConsents(database)
        self.resources = SqlResources(database)
        self.sources = SqlSources(database, vault)
        self.keys = SqlKeys(database, vault)
        self.projects = SqlProjects(database)
        self.users = SqlUsers(database, vault)
        self.tokens = SqlTokens(database)
        self.sign_on = SqlSignOn(database, vault)
        self.sessions = SqlSessions(database)
        self.links = SqlLinks(database)
        self.attempts = SqlLoginAttempts(database)
        self.audit = SqlAudit(database, vault, HeadFile(audit_head))
        self.answers = SqlAnswers(database, vault)
        self.previews = SqlPreviews(database)

    def ready(self) -> bool:
        return self._database.is_there()

    def close(self) -> None:
        self._database.close()


def open_store(url: str, key_file: Path) -> SqlStore:
    """Open or create the database and its key; the audit log's head lies beside the key.

    Raises Refused when the database is newer than this windlass, or when it holds secrets and the key is missing,
    readable by others, or another one; OutOfReach when the database does not answer.
    """
    database = open_database(url)
    try:
        vault = open_vault(key_file, _sealed_samples(database))
        return SqlStore(database, vault, key_file.with_name("audit.head"))
    except BaseException:
        database.close()
        raise


def _sealed_samples(database: Database) -> list[bytes]:
    """One encrypted value of each table that has some."""
    with database.read() as connection:
        queries = (select(one.table.c.sealed).limit(1) for one in SEALED.values())
        found = [connection.execute(query).scalar() for query in queries]
    return [sealed for sealed in found if sealed is not None]
