"""Shows what Compose gave it: secrets, a configuration, a filled volume, and the hooks that ran."""

from pathlib import Path

from server import VERSION, Unavailable, serve

GIVEN = {
    "secret_file": Path("/run/secrets/from_file"),
    "secret_environment": Path("/run/secrets/renamed"),
    "config_content": Path("/etc/web/greeting"),
    "site": Path("/site/index.txt"),
    "hooks": Path("/tmp/hooks"),
}


def index(_path: str, _body: bytes) -> object:
    """The text of each, or none when it is not there."""
    return {"version": VERSION} | {name: path.read_text() if path.exists() else None for name, path in GIVEN.items()}


def ready(_path: str, _body: bytes) -> str:
    """Whether all is there; the hooks may come a moment later."""
    missing = [name for name, path in GIVEN.items() if name != "hooks" and not path.exists()]
    if missing:
        raise Unavailable(f"missing: {', '.join(missing)}")
    return "ready"


serve({"/": index, "/ready": ready})
