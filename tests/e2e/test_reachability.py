"""Outside services are asked from where the app will run: each fault named for what it is, and nothing left behind."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.e2e.engines import processes_of
from tests.e2e.outsiders import PASSWORD, SECRET, Outsiders, outsiders
from tests.e2e.projects import web, write
from tests.e2e.station import Result, Station, eventually, station

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ENCODED = quote(PASSWORD, safe="")
MARKS = {"windlass.role": "outpost"}


@pytest.fixture(scope="module")
def there() -> Iterator[Outsiders]:
    with outsiders() as made:
        yield made


@pytest.fixture(scope="module")
def here(there: Outsiders) -> Iterator[Station]:
    """A windlass of a machine that knows one of the authorities."""
    known = ssl.get_default_verify_paths().cafile
    bundle = there.folder / "bundle.pem"
    bundle.write_text((Path(known).read_text() if known else "") + there.authority.read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(bundle))
        with station() as made:
            yield made


def project(
    here: Station, app: str, network: str, environment: dict[str, str], formats: dict[str, str] | None = None
) -> Path:
    """A web server on the network and on one of its own; on an `internal` one alone when the network has no name."""
    lines = [
        "environment:",
        *(f"  {name}: ${{{name}}}" for name in environment),
        f"networks: [{'outside, default' if network else 'outside'}]",
    ]
    kind = f"{{name: {network}, external: true}}" if network else "{internal: true}"
    rules = "".join(f"  {name}: {{format: {kind}}}\n" for name, kind in (formats or {}).items())
    files = {
        "compose.yaml": web(*lines) + f"networks:\n  outside: {kind}\n",
        "windlass.yaml": "verify: {bake: 1s}\n" + (f"env:\n{rules}" if rules else ""),
    }
    words = "\n".join(f"{name}={value}" for name, value in environment.items())
    here.ok("env", "import", app, "-", stdin=words + "\n")
    return write(here.folder / app, files)


def checks(result: Result) -> dict[str, tuple[str, str]]:
    """Variable -> status and code, of all that were asked."""
    items = result.document.get("checks") or result.error.get("checks") or []
    parts = {i["name"].partition(":")[2]: (i["status"], i["code"]) for i in items if i["name"].startswith("reachab")}
    assert parts, str(result)
    return parts


def left_behind(here: Station) -> list[str]:
    labels = {"label": [f"windlass.instance={here.instance}", *(f"{k}={v}" for k, v in MARKS.items())]}
    api = here.engine.client.api  # by ID alone: while one is looked at, another may go
    return [one["Id"] for one in [*api.containers(all=True, filters=labels), *api.networks(filters=labels)]]


def is_asking(here: Station) -> bool:
    found = [Path(f"/proc/{pid}/cmdline") for pid in processes_of(here.home)]
    return any(b"windlass.adapters.outpost.child" in path.read_bytes() for path in found if path.exists())


def test_a_raw_password_is_refused_and_the_encoded_one_logs_in(here: Station, there: Outsiders) -> None:
    app = here.app("login")
    raw = f"postgresql://app:{PASSWORD}@{there.host('pg')}:5432/shop"
    folder = project(here, app, there.network, {"DATABASE_URL": "x"}, {"DATABASE_URL": "postgres-url"})
    here.ok("env", "set", app, "DATABASE_URL", "--stdin", stdin=raw)
    refused = here.run("deploy", folder, "--app", app)
    assert refused.code == 3, str(refused)
    (told,) = [d for d in refused.error["details"] if d["name"] == "DATABASE_URL"]
    assert told["code"] == "variable_unencoded"
    for character in ("an at sign (@)", "a slash (/)", "a colon (:)", "a number sign (#)"):
        assert character in told["message"]
    here.ok("env", "set", app, "DATABASE_URL", "--url-encode")
    planned = here.run("plan", folder, "--app", app)
    assert planned.code == 0, str(planned)
    assert checks(planned) == {"DATABASE_URL": ("ok", "")}
    assert "logged in" in planned.out
    here.deploy(folder, app)
    for said in (refused.out + refused.err, planned.out + planned.err, str(here.events(app))):
        assert not [part for part in (PASSWORD, ENCODED, "p@ss", "w:rd") if part in said]
    assert left_behind(here) == []


def faults(there: Outsiders) -> dict[str, tuple[str, tuple[str, str]]]:
    """Variable -> its value, and what is to be told of it."""
    pg, redis, tls, strange = (there.host(name) for name in ("pg", "redis", "tls", "strange"))
    refused = {code: ("refused", f"reach_{code}") for code in
               ("name", "network", "tls", "credentials", "permission", "database", "bucket", "protocol")}  # fmt: skip
    key, secret = there.policy_key
    policy = {"ENDPOINT": f"http://{there.host('policy')}:5000", "ACCESS_KEY_ID": key, "SECRET_ACCESS_KEY": secret}
    found = {
        "GOOD_URL": (f"postgresql://app:{ENCODED}@{pg}:5432/shop", ("ok", "")),
        "WRONG_HOST_URL": (f"postgresql://app:{ENCODED}@nowhere-{there.mark}.invalid:5432/shop", refused["name"]),
        "CLOSED_PORT_URL": (f"postgresql://app:{ENCODED}@{pg}:5433/shop", refused["network"]),
        "WRONG_PASSWORD_URL": (f"postgresql://app:{ENCODED}x@{pg}:5432/shop", refused["credentials"]),
        "NO_DATABASE_URL": (f"postgresql://app:{ENCODED}@{pg}:5432/nothing", refused["database"]),
        "NO_TLS_URL": (f"postgresql://app:{ENCODED}@{pg}:5432/shop?sslmode=require", refused["tls"]),
        "NO_POSTGRES_URL": (f"postgresql://app:{ENCODED}@{there.host('s3')}:9000/shop", refused["protocol"]),
        "REDIS_URL": (f"redis://:{SECRET}@{redis}:6379/1", ("ok", "")),
        "REDIS_WRONG_URL": (f"redis://:{SECRET}x@{redis}:6379/1", refused["credentials"]),
        "REDIS_NUMBER_URL": (f"redis://:{SECRET}@{redis}:6379/99", refused["database"]),
        "REDIS_TLS_URL": (f"rediss://:{SECRET}@{tls}:6380/0", ("ok", "")),
        "REDIS_TLS_WRONG_URL": (f"rediss://:{SECRET}x@{tls}:6380/0", refused["credentials"]),
        "REDIS_STRANGE_URL": (f"rediss://:{SECRET}@{strange}:6380/0", refused["tls"]),
        "REDIS_PLAIN_URL": (f"redis://:{SECRET}@{tls}:6380/0", refused["tls"]),
        "API_URL": (f"http://{there.host('policy')}:5000/anything", ("ok", "")),
        "GONE_URL": (f"https://nowhere-{there.mark}.invalid", ("warning", "reach_name")),
        "S3_BUCKET": ("media", ("ok", "")),
        "S3_ENDPOINT": (f"http://{there.host('s3')}:9000", ("ok", "")),
        "S3_ACCESS_KEY_ID": ("key", None),
        "S3_SECRET_ACCESS_KEY": (SECRET, None),
        "NONE_BUCKET": ("missing", refused["bucket"]),
        "STRANGER_BUCKET": ("media", refused["credentials"]),
        "STRANGER_ACCESS_KEY_ID": ("stranger", None),
        "FORGER_BUCKET": ("media", refused["credentials"]),
        "FORGER_SECRET_ACCESS_KEY": (f"{SECRET}x", None),
        "ALLOWED_BUCKET": ("media", ("ok", "")),
        "PRIVATE_BUCKET": ("private", refused["permission"]),
        "MISSING_BUCKET": ("missing", refused["bucket"]),
    }
    for prefix in ("ALLOWED", "PRIVATE", "MISSING"):
        found |= {f"{prefix}_{n}": (v, ("ok", "") if n == "ENDPOINT" else None) for n, v in policy.items()}
    return found


def test_every_fault_is_named_for_what_it_is_in_one_run(here: Station, there: Outsiders) -> None:
    app, known = here.app("faults"), faults(there)
    formats = {name: "s3-bucket" for name in known if name.endswith("_BUCKET")}
    folder = project(here, app, there.network, {name: value for name, (value, _) in known.items()}, formats)
    began = time.monotonic()
    planned = here.run("plan", folder, "--app", app)
    took = time.monotonic() - began
    assert planned.code == 3, str(planned)
    assert checks(planned) == {name: expected for name, (_, expected) in known.items() if expected is not None}
    said = planned.out + planned.err
    secrets = (PASSWORD, ENCODED, SECRET, there.policy_key[1])
    assert not [part for part in secrets if part in said]
    for detail in planned.error["details"]:
        name = detail["name"]
        assert f"{name} (web): " in detail["message"]
        assert there.mark in detail["message"]
        assert f"--skip-check reachability:{name}" in detail["fix"]
    assert left_behind(here) == []

    began = time.monotonic()
    skipped = here.run("plan", folder, "--app", app, "--skip-check", "reachability")
    without = time.monotonic() - began
    assert skipped.code == 0, str(skipped)
    print(f"\n{len(checks(planned))} outside services: plan in {took:.2f} s, {without:.2f} s without asking them")


def test_one_is_skipped_by_name(here: Station, there: Outsiders) -> None:
    app = here.app("skip")
    values = {"ONE_URL": f"redis://{there.host('redis')}", "TWO_URL": f"redis://{there.host('pg')}:1"}
    folder = project(here, app, there.network, values)
    flags = [f"--skip-check=reachability:{name}" for name in values]
    assert here.run("deploy", folder, "--app", app, flags[0]).codes == {"reach_network"}
    assert here.deploy(folder, app, *flags)["status"] == "live"


def test_from_an_internal_network_it_is_the_network(here: Station, there: Outsiders) -> None:
    app = here.app("inside")
    address = there.client.containers.get(there.host("pg")).attrs["NetworkSettings"]["Networks"][there.network]
    values = {
        "DATABASE_URL": f"postgresql://app:{ENCODED}@{address['IPAddress']}:5432/shop",
        "REDIS_URL": f"redis://:{SECRET}@{there.host('redis')}:6379",
    }
    planned = here.run("plan", project(here, app, "", values), "--app", app)
    assert checks(planned) == dict.fromkeys(values, ("refused", "reach_network"))
    assert planned.error["details"][0]["message"].endswith("web is only on `internal` networks")
    assert left_behind(here) == []


@pytest.mark.parametrize("command", ["plan", "deploy"])
def test_killed_while_it_asks_nothing_is_left(here: Station, there: Outsiders, command: str) -> None:
    app = here.app("killed")
    # What takes the connection and says nothing is waited for until the limit.
    folder = project(here, app, there.network, {"DATABASE_URL": f"postgresql://a:b@{there.host('redis')}:6379/x"})
    running = here.begin(command, folder, "--app", app, "--json")
    assert eventually(lambda: is_asking(here), 30)
    here.kill()
    running.wait()
    assert len(left_behind(here)) == 2
    assert not is_asking(here)
    here.up()
    assert eventually(lambda: not left_behind(here), 10)
    assert here.run("plan", folder, "--app", app).codes == {"reach_network"}
    assert left_behind(here) == []
