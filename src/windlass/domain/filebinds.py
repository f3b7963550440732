"""What a bind mount of a path beside the Compose file is: configuration, data, the program's source, or unclear."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from windlass.domain import catalogue
from windlass.domain.compose import Mount


class BindKind(StrEnum):
    CONFIG = "config"  # from the release's folder, or content-addressed for the base
    DATA = "data"  # outlives every release
    SOURCE = "source"  # the release's own copy of the program
    ASK = "ask"  # could be both: the plan asks


@dataclass(frozen=True)
class BindFacts:
    """What is found at the source of a bind. `ignored`: by the project's ignore files; `empty`: a bare folder."""

    exists: bool
    empty: bool = False
    ignored: bool = False
    is_file: bool = False
    inside_build_context: bool = False


_DATA_WORDS = catalogue.word_set(
    "data db database databases storage upload uploads media backup backups state letsencrypt pgdata mysql-data"
    " redis-data db-data volumes files attachments persistent repositories"
)
_CONFIG_ENDINGS = catalogue.word_set(
    ".conf .cnf .cfg .ini .yml .yaml .json .toml .xml .properties .env .sql .sh .template .tmpl .tpl .pem .crt .key"
    " .cer .html .htm .txt .md .lua .vcl .acl .list .hcl .caddyfile .rules .conf.d .htpasswd .js .ts .py .rb"
    " .php .css"
)
_CONFIG_NAMES = catalogue.word_set("caddyfile dockerfile makefile hosts htpasswd passwd redis.conf nginx.conf")
_CONFIG_TARGET = re.compile(r"/etc/.*|/docker-entrypoint[^/]*(/.*)?|/usr/local/etc/.*|/config(\.d)?/.*\.\w+")
_DATABASE_FILE = re.compile(r"\.(db|db3|sqlite|sqlite3)$")


def bind_kind(mount: Mount, facts: BindFacts, is_base: bool) -> BindKind:
    """What windlass does with this bind whose source lies inside the project's folder."""
    if not facts.exists or facts.empty or facts.ignored:
        return BindKind.DATA
    if mount.read_only:
        return BindKind.CONFIG
    if is_data_path(mount.target):
        return BindKind.DATA
    if is_config_target(mount.target, facts.is_file):
        return BindKind.CONFIG
    if facts.inside_build_context:
        return BindKind.CONFIG if is_base else BindKind.SOURCE
    return BindKind.ASK


def is_data_path(target: str) -> bool:
    """A path inside a container at which programs keep what they must not lose."""
    if catalogue.is_store_path(target) or _DATABASE_FILE.search(target):
        return True
    return bool(_words(target) & _DATA_WORDS)


def is_config_target(target: str, is_file: bool) -> bool:
    """Where programs look for configuration; for a file, also by its ending."""
    path = PurePosixPath(target)
    if _CONFIG_TARGET.fullmatch(target) and not is_data_path(target):
        return True
    return is_file and (path.suffix.lower() in _CONFIG_ENDINGS or path.name.lower() in _CONFIG_NAMES)


def looks_like_config_file(target: str) -> bool:
    """By its name alone, when nobody could look at the source."""
    return is_config_target(target, is_file=True) and not _DATABASE_FILE.search(target)


def _words(target: str) -> set[str]:
    """Only the last two parts count: `/app/data/x` yes, `/data/app/src` no."""
    parts = [part.lower() for part in PurePosixPath(target).parts if part != "/"]
    return set(parts[-2:])
