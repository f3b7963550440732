"""What a process does between its first answer and being ready. This version dies soon after that."""

import asyncio
import os

from fastapi import FastAPI

from guestbook.health import why_not

CRASH_AFTER = 3.0


async def boot(app: FastAPI) -> None:
    """Open the stores, wait until ready, and crash a little later."""
    await app.state.stores.db.open()
    app.state.booted = True
    while await why_not(app):
        await asyncio.sleep(0.1)
    await asyncio.sleep(CRASH_AFTER)
    print(f"guestbook: crashes on purpose, {CRASH_AFTER:g} s after it became ready", flush=True)
    os._exit(3)
