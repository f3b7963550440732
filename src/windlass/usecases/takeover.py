"""Before a start: whether this version understands every deployment that another one has left unfinished."""

from __future__ import annotations

from windlass.domain.errors import Detail, NotFound, Refused
from windlass.domain.names import shown
from windlass.ports.outside import Outside
from windlass.usecases.undertaking import load_kept


def check_unfinished(outside: Outside) -> None:
    """Raises Refused journal_unknown with every one that it could neither finish nor take back. Touches nothing."""
    details = []
    for deployment in outside.store.deployments.unfinished():
        if deployment.release is None:
            continue
        try:
            load_kept(outside, deployment.app, deployment.release)
        except NotFound:
            continue  # killed before its plan was made
        except Refused as error:
            name = shown(deployment.app)
            fix = f"with that version: windlass status {name}, until nothing is under way"
            details.append(Detail("journal_unknown", name, error.message, fix))
    if details:
        raise Refused(
            f"a deployment of {', '.join(d.name for d in details)} is under way that another version of windlass began,"
            " and this one can neither finish it nor take it back; nothing was touched, the apps go on",
            code="journal_unknown",
            hint="start that version again, let the deployment end, and then: windlass up",
            details=details,
        )
