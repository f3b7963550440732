"""From what the user named to what is deployed: a folder or a Git address, and the app's name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from windlass.cli.checkout import Checkout, read_checkout
from windlass.domain.errors import Usage
from windlass.domain.sources import image_of

_ADDRESS = re.compile(r"[\w+.-]+:(//|:)|[\w.-]+@[\w.-]+:", re.ASCII)  # good or not: the control plane says
_NAME = re.compile(r"name[ \t]*:[ \t]*(?P<quote>['\"]?)(?P<name>[^'\"#\r\n]*?)(?P=quote)[ \t]*(#.*)?")
_UNFIT = re.compile(r"[^a-z0-9]+")
CONFIG = "windlass.yaml"


@dataclass(frozen=True)
class Source:
    """`folder` None: it is the Git address or image `url`, or the app's own source. `kind` as the API says it."""

    folder: Path | None
    url: str = ""
    checkout: Checkout = Checkout()
    kind: str = "upload"

    @property
    def commit(self) -> str:
        """The commit of a clean checkout; of a changed one it would be a lie."""
        return "" if self.checkout.dirty else self.checkout.commit


def find_source(word: str) -> Source:
    if word.startswith("-"):
        raise Usage(f"{word!r} is neither a folder nor a Git address")
    if image_of(word):
        return Source(None, image_of(word), kind="image")
    if _ADDRESS.match(word):
        return Source(None, word, kind="git")
    folder = Path(word)
    if _is_bare(folder):
        return Source(None, str(folder.resolve()), kind="git")
    return Source(folder, checkout=read_checkout(folder))


def _is_bare(folder: Path) -> bool:
    """A Git repository without a working tree: a source by its path, as others are by their address."""
    return (folder / "HEAD").is_file() and all((folder / name).is_dir() for name in ("objects", "refs"))


def name_of(source: Source) -> str:
    """The app's name: windlass.yaml's `name`, else from the folder or repository; raises Usage when there is none."""
    written = _written_name(source.folder / CONFIG) if source.folder else ""
    if written:
        return written
    word = _last_word(source)
    name = _UNFIT.sub("-", word.removesuffix(".git").lower()).strip("-").lstrip("0123456789-")[:40].rstrip("-")
    if not name:
        raise Usage(f"no app name can be made of {word!r}", hint="windlass deploy --app NAME")
    return name


def _last_word(source: Source) -> str:
    if source.folder:
        return source.folder.absolute().resolve().name
    if source.kind == "image":
        return re.split(r"[:@]", source.url.rpartition("/")[2])[0]
    return re.split(r"[/:]", source.url.rstrip("/"))[-1]


def _written_name(config: Path) -> str:
    """The top-level `name:` by a scan of lines; the control plane reads the file properly."""
    try:
        lines = config.read_text(encoding="utf-8-sig").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{config} cannot be read: {error}", hint="windlass deploy --app NAME") from None
    for line in lines:
        found = _NAME.fullmatch(line)
        if found:
            return found["name"].strip()
    return ""
