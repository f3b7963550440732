"""Makes a project folder of one version of the guestbook: python make.py VERSION DEST.

A version is the guestbook itself (v1) with the files of versions/VERSION laid over it.
"""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent
VERSIONS = ("v1", "v2", "bad-crash", "bad-unready", "bad-late-crash")
KEPT = {".env", ".git"}


def make(version: str, dest: Path) -> Path:
    """Write that version into dest: a new or empty folder, or an earlier guestbook, whose .env and .git stay.

    Returns dest. Raises ValueError for an unknown version or for a folder with something else in it.
    """
    if version not in VERSIONS:
        raise ValueError(f"there is no version {version!r}, but {', '.join(VERSIONS)}")
    dest = Path(dest).resolve()
    if dest.is_relative_to(SOURCE) or SOURCE.is_relative_to(dest):
        raise ValueError(f"{dest} would mix with the guestbook's own folder")
    _clear(dest)
    for layer in (SOURCE, HERE / version):
        if layer.is_dir():
            shutil.copytree(layer, dest, ignore=_left_out, dirs_exist_ok=True)
    return dest


def _left_out(folder: str, names: list[str]) -> set[str]:
    own = {HERE.name} if Path(folder) == SOURCE else set()
    return {name for name in names if name in KEPT | own or name.endswith("_cache") or name == "__pycache__"}


def _clear(dest: Path) -> None:
    dest.mkdir(parents=True, exist_ok=True)
    found = [path for path in dest.iterdir() if path.name not in KEPT]
    if found and not (dest / "guestbook" / "version.py").is_file():
        raise ValueError(f"{dest} has files in it, and is not a guestbook")
    for path in found:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def main(arguments: list[str]) -> int:
    """The command line."""
    if len(arguments) != 2:
        print(f"usage: python make.py VERSION DEST\nversions: {', '.join(VERSIONS)}", file=sys.stderr)
        return 2
    try:
        print(make(arguments[0], Path(arguments[1])))
    except ValueError as error:
        print(f"make.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
