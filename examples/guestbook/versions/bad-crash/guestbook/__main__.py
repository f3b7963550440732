"""Starts the web server: python -m guestbook. This version needs a setting that nobody has made."""

import os

import uvicorn

from guestbook import version


def main() -> None:
    """Serve until SIGTERM; then finish what is in flight, but take no longer than 8 seconds."""
    if "GUESTBOOK_OWNER" not in os.environ:
        raise RuntimeError("GUESTBOOK_OWNER is not set: name the person whom this guestbook belongs to")
    uvicorn.run(
        "guestbook.web:app",
        host="0.0.0.0",
        port=8000,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        headers=[("X-Version", version.NAME)],
        timeout_graceful_shutdown=8,
        access_log=False,
    )


if __name__ == "__main__":
    main()
