"""Where windlass lives and how it was started: environment and the home's own file, read once."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from windlass.wire.places import HOME_VARIABLE as HOME_VARIABLE
from windlass.wire.places import default_home, socket_in


@dataclass(frozen=True)
class Settings:
    """`home` holds everything; `instance` tells this home's containers from another's on the same engine."""

    home: Path
    instance: str = ""
    http_port: int = 80
    https_port: int = 443
    listen: str = ""  # host:port of the API on TCP, "" for the unix socket alone
    pool: str = "10.213.0.0/16"
    docker_host: str = "unix:///var/run/docker.sock"
    database_url: str = ""
    database: str = "sqlite"  # or postgresql: then `database_url` has to be named at every start
    upload_limit: int = 1 << 30
    tls_cert: str = ""  # PEM files of the API's own certificate, "" for none
    tls_key: str = ""
    admin_listen: str = ""  # where API and pages are served then; `listen` carries webhooks and health alone
    admin_allow: str = ""  # networks that reach it, with commas; "" for all
    hooks_host: str = ""  # webhooks come through the edge under this name; "" for none
    deploys: int = 4  # at once on this server
    builds: int = 2  # of them, those that build images

    @property
    def socket(self) -> Path:
        """The API's unix socket; beside the home when its path would be too long for one (108 bytes)."""
        inside = socket_in(self.home)
        if len(str(inside)) < 100:
            return inside
        return Path("/run") / f"windlass-{self.instance}.sock"

    @property
    def url(self) -> str:
        """Of what is served on TCP; "" when nothing is."""
        return self._url(self.listen)

    @property
    def admin_url(self) -> str:
        """Of the API and its pages on TCP; "" when they are not served there."""
        return self._url(self.admin_listen or self.listen)

    @property
    def hooks_url(self) -> str:
        """Of webhooks through the edge; "" when it carries none."""
        port = "" if self.http_port == 80 else f":{self.http_port}"
        return f"http://{self.hooks_host}{port}" if self.hooks_host else ""

    def _url(self, address: str) -> str:
        return f"{'https' if self.tls_cert else 'http'}://{address}" if address else ""

    @property
    def pid_file(self) -> Path:
        return self.home / "run" / "windlass.pid"

    @property
    def log_file(self) -> Path:
        return self.home / "log" / "windlass.log"


def load(home: Path | None = None) -> Settings:
    """The settings of a home: what `up` wrote there, with the environment on top."""
    folder = (home or default_home()).absolute()
    found = Settings(home=folder)
    file = folder / "settings.json"
    if file.exists():
        kept = json.loads(file.read_text())
        found = replace(found, **{k: v for k, v in kept.items() if k in Settings.__dataclass_fields__ and k != "home"})
    return replace(
        found,
        docker_host=os.environ.get("DOCKER_HOST") or found.docker_host,
        database_url=os.environ.get("WINDLASS_DATABASE_URL") or found.database_url,
    )


def save(settings: Settings) -> Settings:
    """Make the home (0700) and keep the settings there; gives the instance its name at first."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    named = settings if settings.instance else replace(settings, instance=os.urandom(4).hex())
    if named.database_url:
        named = replace(named, database="sqlite" if named.database_url.startswith("sqlite") else "postgresql")
    for folder in ("run", "log", "apps", "edge", "uploads"):
        (named.home / folder).mkdir(exist_ok=True, mode=0o700)
    document = {k: v for k, v in asdict(named).items() if k not in ("home", "database_url")}
    temporary = named.home / "settings.json.new"
    temporary.write_text(json.dumps(document, indent=1))
    temporary.replace(named.home / "settings.json")
    return named
