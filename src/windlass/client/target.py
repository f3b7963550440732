"""Where a client finds the control plane."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from windlass.wire.places import default_home, socket_in


@dataclass(frozen=True)
class Target:
    """Where the API answers: at `url` with `token`, or when that is empty at the unix socket of `home`."""

    home: Path
    socket: Path
    url: str = ""
    token: str = ""


def found_target(url: str = "", token: str = "", home: Path | str | None = None) -> Target:
    """What is said; else WINDLASS_URL with WINDLASS_TOKEN; else the windlass of this machine."""
    if not url and home is None:
        url = os.environ.get("WINDLASS_URL", "")
        token = token or (os.environ.get("WINDLASS_TOKEN", "") if url else "")
    folder = Path(home) if home is not None else default_home()
    return Target(folder, socket_in(folder), url, token)
