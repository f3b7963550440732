"""Says whether this process is alive and ready. This version never is: it waits for a service that is not there."""

from fastapi import APIRouter, Response

from guestbook import version

router = APIRouter()

REASON = "search: no answer from search:9200"


@router.get("/health")
@router.get("/ready")
async def ready(response: Response) -> dict[str, str | list[str]]:
    """Always 503."""
    response.status_code = 503
    return {"status": "not ready", "version": version.NAME, "git_commit": version.COMMIT, "reasons": [REASON]}
