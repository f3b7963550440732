"""Starts the control plane in the background, replaces it, waits for it, and ends it."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from windlass import __version__, settings
from windlass.adapters import daemon, systemd
from windlass.adapters.daemon import Locks
from windlass.cli.session import UpOptions
from windlass.client.client import Client
from windlass.client.connections import is_loopback
from windlass.client.target import Target
from windlass.domain.errors import Failed, NotAllowed, OutOfReach, Refused, Usage, WindlassError
from windlass.domain.names import cidr
from windlass.domain.names import host as valid_host
from windlass.settings import Settings
from windlass.wire import error_from
from windlass.wire.people import TokenBody

API_WAIT_S = 30.0
EDGE_WAIT_S = 180.0

Say = Callable[[str], None]


def up(options: UpOptions, say: Say) -> dict[str, Any]:
    """Start the control plane, or replace one of another version or with other settings; wait until it answers."""
    wanted = _wanted(options)
    locks = locks_of(wanted)
    with daemon.held(locks.starting, API_WAIT_S):
        if options.systemd or not _is_current(wanted, locks):
            _replace(wanted, locks, options.systemd)
        _wait_for_api(wanted, locks)
    welcome = _welcome(wanted)
    return _wait_for_edge(wanted, say) | welcome


def down(known: Settings, stop_edge: Callable[[], None] | None, say: Say) -> dict[str, Any]:
    """Stop the control plane, then the edge by `stop_edge`; what is not there is no error."""
    document = {"home": str(known.home), "was_running": False, "edge_stopped": False}
    if not known.instance:
        return document
    locks = locks_of(known)
    with daemon.held(locks.starting, API_WAIT_S):
        if systemd.unit_file(known.instance).exists():
            systemd.disable(known.instance)
        document["was_running"] = daemon.stop(locks)
        known.socket.unlink(missing_ok=True)
    if stop_edge is not None:
        say("stopping the edge")
        stop_edge()
    return document | {"edge_stopped": stop_edge is not None}


def locks_of(known: Settings) -> Locks:
    run = known.home / "run"
    return Locks(supervisor=known.pid_file, server=run / "server.pid", starting=run / "starting.lock")


def _wanted(options: UpOptions) -> Settings:
    """The settings asked for, checked and written to the home."""
    found = settings.load(options.home)
    database_of(found)
    wanted = replace(
        found,
        http_port=options.http_port or found.http_port,
        https_port=options.https_port or found.https_port,
        listen=found.listen if options.listen is None else options.listen,
        pool=found.pool if options.pool is None else cidr(options.pool),
        tls_cert=found.tls_cert if options.tls_cert is None else _absolute(options.tls_cert),
        admin_listen=found.admin_listen if options.admin_listen is None else options.admin_listen,
        admin_allow=_networks(options.admin_allow) if options.admin_allow else found.admin_allow,
        hooks_host=_hooks_host(found.hooks_host, options.hooks_host),
        tls_key=found.tls_key if options.tls_key is None else _absolute(options.tls_key),
        deploys=options.deploys or found.deploys,
        builds=options.builds or found.builds,
    )
    for option, address in (("--listen", wanted.listen), ("--admin-listen", wanted.admin_listen)):
        if address:
            _check_listen(wanted, option, address)
    try:
        return settings.save(wanted)
    except OSError as error:
        raise NotAllowed(
            f"the home {wanted.home} cannot be written: {error.strerror}", code="home_not_writable", hint="--home DIR"
        ) from error


def database_of(known: Settings) -> str:
    """The database's URL. Raises Refused for a home whose PostgreSQL is not named."""
    if known.database != "sqlite" and not known.database_url:
        raise Refused(
            f"the database of {known.home} is in PostgreSQL, and WINDLASS_DATABASE_URL is not set; nothing was changed",
            code="database_not_named",
            hint="set WINDLASS_DATABASE_URL as it was; another SQLite file in the home would know nothing of the apps",
        )
    return known.database_url or f"sqlite:///{known.home / 'windlass.db'}"


def _hooks_host(before: str, asked: str | None) -> str:
    """Raises Usage host_invalid."""
    if asked is None:
        return before
    return valid_host(asked) if asked else ""


def _absolute(file: str) -> str:
    """An empty word stays one: it takes the certificate away."""
    return str(Path(file).absolute()) if file else ""


def _networks(words: Sequence[str]) -> str:
    """Raises Usage for what is no network; `all` takes the list away."""
    if "all" in words:
        return ""
    try:
        return ",".join(str(ip_network(word)) for word in words)
    except ValueError as error:
        raise Usage(f"--admin-allow: {error}", hint="windlass up --admin-allow 192.0.2.0/24") from error


def _check_listen(wanted: Settings, option: str, address: str) -> None:
    host, colon, port = address.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise Usage(f"{option} {address}: is not HOST:PORT", hint=f"windlass up {option} 127.0.0.1:9000")
    if bool(wanted.tls_cert) != bool(wanted.tls_key):
        raise Usage("--tls-cert and --tls-key belong together", hint="windlass up --tls-cert FILE --tls-key FILE")
    if wanted.tls_cert:
        check_certificate(wanted.tls_cert, wanted.tls_key)
    elif not is_loopback(host.strip("[]")):
        raise Refused(
            f"{option} {address}: off this machine the API is served with TLS only",
            code="tls_required",
            hint=f"give a certificate with --tls-cert and --tls-key; or {option} 127.0.0.1:{port} and an SSH tunnel",
        )


def check_certificate(certificate: str, key: str) -> None:
    """Raises Refused tls_invalid for files that cannot be read, or that do not belong together."""
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise Refused(
            f"the certificate {certificate} and its key {key} cannot be used: {error}",
            code="tls_invalid",
            hint="give the whole chain in PEM, and its private key without a password",
        ) from error


def _no_password() -> str:
    raise ValueError("the key has a password")


def _welcome(wanted: Settings) -> dict[str, Any]:
    """What lets the first person in over TCP, each shown once: a link for the first admin, and a first token."""
    if not wanted.admin_url:
        return {"token": None, "setup": None}
    client = Client.at(Target(wanted.home, wanted.socket))
    link = client.call("POST", ("users", "first"))["link"]
    if link is None:
        return {"token": None, "setup": None}
    known = client.get("tokens")["items"]
    made = None if known else client.call("POST", ("tokens",), TokenBody("first", ["all"]).as_dict())["token"]
    return {"token": made, "setup": wanted.admin_url + link}


def identity_of(known: Settings) -> str:
    """Changes when a running control plane has to be replaced."""
    facts: dict[str, Any] = {k: str(v) for k, v in asdict(known).items()} | {
        "version": __version__,
        "python": sys.executable,
    }
    facts["code"] = str(max(file.stat().st_mtime_ns for file in Path(__file__).parent.rglob("*.py")))
    facts["certificate"] = [_changed_at(file) for file in (known.tls_cert, known.tls_key) if file]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _changed_at(file: str) -> int:
    """A renewed certificate is taken up by the next `up`."""
    try:
        return Path(file).stat().st_mtime_ns
    except OSError:
        return 0


def _is_current(wanted: Settings, locks: Locks) -> bool:

    supervised = daemon.holder(locks.supervisor) is not None or systemd.unit_file(wanted.instance).exists()
    if not supervised or daemon.holder(locks.server) is None:
        return False
    try:
        return bool(_control(wanted)["identity"] == identity_of(wanted))
    except WindlassError:
        return False


def _replace(wanted: Settings, locks: Locks, with_systemd: bool) -> None:

    unit = systemd.unit_file(wanted.instance)
    if with_systemd:
        systemd.check_systemd()
    if unit.exists():
        systemd.disable(wanted.instance)
    daemon.stop(locks)
    failure_file(wanted).unlink(missing_ok=True)
    if with_systemd or unit.exists():
        systemd.enable(wanted.instance, daemon.server_command(wanted.home), daemon.environment(wanted.home))
    else:
        daemon.start(locks, _output_file(wanted), wanted.home)


def _control(known: Settings) -> dict[str, Any]:
    """Whoever waits for it asks again for itself."""
    return Client.at(Target(known.home, known.socket), patience_s=0).get("control")


def _wait_for_api(wanted: Settings, locks: Locks) -> None:

    deadline = time.monotonic() + API_WAIT_S
    failure = failure_file(wanted)
    while time.monotonic() < deadline:
        try:
            if _control(wanted)["pid"] == daemon.holder(locks.server):
                return
        except OutOfReach:
            pass
        if failure.exists():
            daemon.stop(locks)
            told = json.loads(failure.read_text())
            raise error_from(told, 500, told["exit_code"])
        time.sleep(0.05)
    last = "\n".join(daemon.last_lines(_output_file(wanted)))
    raise Failed(f"the control plane did not answer within {API_WAIT_S:.0f} s:\n{last}", code="start_failed")


def _wait_for_edge(wanted: Settings, say: Say) -> dict[str, Any]:
    """The control plane's document once the edge answers; raises what keeps it from that, seen just now."""
    deadline = time.monotonic() + EDGE_WAIT_S
    told = time.monotonic() + 2.0
    seen = _control(wanted)["edge"]["tries"]
    enough = seen + 2 if seen else 1  # the try that is under way now may have begun before the cause was removed
    while True:
        document = _control(wanted)
        edge = document["edge"]
        if edge["state"] == "ready":
            return document
        if edge["state"] == "failed" and edge["tries"] >= enough:
            raise _edge_error(edge)
        now = time.monotonic()
        if now > deadline:
            raise Failed("the edge did not come up; the control plane runs", code="edge_slow", hint="windlass doctor")
        if now > told:
            say("preparing the edge …")
            told = deadline
        time.sleep(0.05)


def _edge_error(edge: dict[str, Any]) -> WindlassError:
    error = error_from(edge, 500, edge["exit_code"])
    error.message += "; the control plane runs, and brings the edge up as soon as it can"
    return error


def _output_file(known: Settings) -> Path:
    """What the processes print beside their log: hardly ever anything."""
    return known.log_file.with_name("output.log")


def failure_file(known: Settings) -> Path:
    return known.home / "run" / "start-failure.json"
