"""The web application: the page, its JSON, its WebSocket, and two routes for measuring."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psycopg
import psycopg_pool
import redis
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from fastapi.templating import Jinja2Templates

from guestbook import entries, health, version
from guestbook.boot import boot
from guestbook.front import Front
from guestbook.live import Live
from guestbook.stores import CHANNEL, Stores

templates = Jinja2Templates(Path(__file__).parent / "templates")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Boot beside the first answers, so that /health is there at once; close the stores at the end."""
    stores = app.state.stores
    tasks = [asyncio.create_task(boot(app)), asyncio.create_task(app.state.live.follow(stores.redis, _describe))]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await stores.close()


async def _page() -> str:
    shown = await entries.newest(app.state.stores.db)
    return templates.get_template("page.html").render(entries=shown, version=version)


app = FastAPI(title="Guestbook", version=version.NAME, lifespan=lifespan)
app.state.stores = Stores()
app.state.live = Live()
app.state.front = Front(_page)
app.state.booted = False
app.include_router(health.router)


@app.get("/")
async def page() -> HTMLResponse:
    """The guestbook."""
    return HTMLResponse(await app.state.front.html())


@app.get("/api/entries")
async def list_entries() -> list[entries.Entry]:
    """The newest entries."""
    return await entries.newest(app.state.stores.db)


@app.post("/api/entries", status_code=201)
async def add_entry(entry: entries.NewEntry) -> entries.Entry:
    """Keep an entry, and let a worker count its words. Nothing is kept while Redis is gone."""
    stores = app.state.stores
    await stores.redis.ping()
    added = await entries.add(stores.db, entry)
    app.state.front.forget()
    await asyncio.to_thread(stores.order_count, added.id)
    await stores.redis.publish(CHANNEL, added.id)
    return added


@app.post("/echo")
async def echo(request: Request) -> dict[str, str | int]:
    """How long the body was."""
    return {"version": version.NAME, "length": len(await request.body())}


@app.get("/stream")
async def stream() -> StreamingResponse:
    """A slow answer: 30 lines in 3 seconds, then END."""
    return StreamingResponse(_lines(), media_type="text/plain")


@app.websocket("/ws")
async def ws(socket: WebSocket, live: bool = False) -> None:
    """Answer each text with "version:text"; with ?live=1 also send changed entries."""
    await socket.accept()
    if live:
        app.state.live.join(socket)
    with suppress(WebSocketDisconnect):
        async for text in socket.iter_text():
            await socket.send_text(f"{version.NAME}:{text}")
    app.state.live.leave(socket)


@app.exception_handler(psycopg.OperationalError)
@app.exception_handler(psycopg_pool.PoolTimeout)
@app.exception_handler(redis.RedisError)
async def store_gone(_: Request, error: Exception) -> JSONResponse:
    """A store that does not answer is no fault of the visitor's."""
    return JSONResponse({"detail": f"try again in a moment: {error}"}, status_code=503, headers={"Retry-After": "2"})


async def _lines() -> AsyncIterator[str]:
    for number in range(30):
        yield f"{version.NAME} {number}\n"
        await asyncio.sleep(0.1)
    yield "END"


async def _describe(entry_id: int) -> str:
    entry = await entries.one(app.state.stores.db, entry_id)
    return json.dumps({"id": entry_id, "html": templates.get_template("entry.html").render(entry=entry)})
