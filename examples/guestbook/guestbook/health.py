"""Says whether this process is alive (/health) and whether it can serve (/ready)."""

import asyncio
from collections.abc import Coroutine

from fastapi import APIRouter, FastAPI, Request, Response

from guestbook import version
from guestbook.stores import Stores

router = APIRouter()


@router.get("/health")
async def health() -> dict[str, str]:
    """Alive, whatever the stores do."""
    return {"status": "healthy", "version": version.NAME, "git_commit": version.COMMIT}


@router.get("/ready")
async def ready(request: Request, response: Response) -> dict[str, str | list[str]]:
    """200 when a visitor can be served now; else 503 with the reasons."""
    reasons = await why_not(request.app)
    response.status_code = 503 if reasons else 200
    return {"status": "not ready" if reasons else "ready", "version": version.NAME, "reasons": reasons}


async def why_not(app: FastAPI) -> list[str]:
    """What keeps the app from serving; empty when nothing does."""
    if not app.state.booted:
        return ["still starting"]
    stores = app.state.stores
    found = await asyncio.gather(_within("database", _database(stores)), _within("redis", _redis(stores)))
    return [reason for reason in found if reason]


async def _within(name: str, check: Coroutine[None, None, None]) -> str | None:
    """What went wrong with the check. One that hangs is left behind, as to cancel it may hang as well."""
    task = asyncio.create_task(check)
    done, _ = await asyncio.wait([task], timeout=1.5)
    if not done:
        task.cancel()
        return f"{name}: no answer within 1.5 seconds"
    error = task.exception()
    return f"{name}: {error}" if error else None


async def _database(stores: Stores) -> None:
    async with stores.db.connection() as connection:
        await connection.execute("SELECT 1 FROM entries LIMIT 1")


async def _redis(stores: Stores) -> None:
    await stores.redis.ping()
