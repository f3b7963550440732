"""A hook: notes its name in a file that web shows, and in the container's log."""

import sys
from pathlib import Path

LINE = f"{sys.argv[1]}\n"

with Path("/tmp/hooks").open("a") as hooks:
    hooks.write(LINE)
with Path("/proc/1/fd/1").open("w") as log:
    log.write(f"hook {LINE}")
