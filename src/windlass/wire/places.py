"""Where a windlass of this machine is found, when nothing else is said."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "WINDLASS_HOME"


def default_home() -> Path:
    """WINDLASS_HOME, else /var/lib/windlass for root and the XDG data folder for others."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Path(named)
    if os.geteuid() == 0:
        return Path("/var/lib/windlass")
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "windlass"


def socket_in(home: Path) -> Path:
    """The API's unix socket, where a home has room for one."""
    return home / "run" / "api.sock"
