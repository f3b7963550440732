"""What a process does between its first answer and being ready."""

from fastapi import FastAPI


async def boot(app: FastAPI) -> None:
    """Open the stores; while they do not answer, /ready says so."""
    await app.state.stores.db.open()
    app.state.booted = True
