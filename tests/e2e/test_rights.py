"""People and programs over TCP with TLS: tokens, the first admin, wrong passwords, and an audit log that is killed."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import json
import random
import sqlite3
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.contents import contents_of
from tests.e2e.projects import WEB, write
from tests.e2e.station import Result, Station, free_port, station

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

PASSWORD = "a stork on the chimney"


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """For 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "windlass test")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).add_extension(names, critical=False)
    made = made.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=2))
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files[1].write_bytes(key.private_bytes(*form))
    return files


class Town:
    """A station that serves its API on every address, with TLS."""

    def __init__(self, home: Station) -> None:
        self.home = home
        self.certificate, key = make_certificate(home.folder)
        self.port = free_port()
        self.listen = ("--listen", f"0.0.0.0:{self.port}", "--tls-cert", self.certificate, "--tls-key", key)
        self.up = home.up(*self.listen)

    def as_token(self, token: str, *words: object) -> Result:
        """A command over TLS, with this token."""
        url = f"https://127.0.0.1:{self.port}"
        more = {"WINDLASS_URL": url, "WINDLASS_TOKEN": token, "SSL_CERT_FILE": str(self.certificate)}
        self.home.engine.environment.update(more)
        try:
            return self.home.run(*words)
        finally:
            for name in more:
                del self.home.engine.environment[name]

    def post(
        self, path: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        context = ssl.create_default_context(cafile=str(self.certificate))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read().decode()
        finally:
            connection.close()

    def person(self, name: str, role: str) -> str:
        """A user with this role; a token with all that it may."""
        self.home.ok("user", "add", name, "--role", role, "--password-stdin", stdin=PASSWORD)
        _, headers, body = self.post("/login", {"name": name, "password": PASSWORD})
        known = {"Cookie": headers["set-cookie"].partition(";")[0], "X-CSRF-Token": json.loads(body)["csrf"]}
        made = self.post("/api/v1/tokens", {"name": "ci", "scopes": ["all"]}, known)
        return str(json.loads(made[2])["token"])

    def ended(self, deployment: str) -> str:
        """Its status when it has ended."""
        return str([data for kind, data in self.home.follow(deployment) if kind == "end"][-1]["status"])

    def audit(self) -> list[dict[str, Any]]:
        return list(self.home.ok("audit", "list", "--limit", 1000)["items"])


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with station() as home:
        yield Town(home)


def test_off_this_machine_only_with_a_certificate(town: Town) -> None:
    refused = town.home.run("up", "--listen", f"0.0.0.0:{town.port}", "--tls-cert", "", "--tls-key", "")
    assert (refused.code, refused.codes) == (3, {"tls_required"})
    (town.home.folder / "no.pem").write_text("no certificate")
    wrong = town.home.run("up", "--tls-cert", town.home.folder / "no.pem")
    assert (wrong.code, wrong.codes) == (3, {"tls_invalid"})
    plain = http.client.HTTPConnection("127.0.0.1", town.port, timeout=5)
    plain.request("GET", "/health")
    with pytest.raises((OSError, http.client.HTTPException)):
        plain.getresponse()
    plain.close()


def test_a_program_comes_with_a_token_and_may_what_its_scope_says(town: Town) -> None:
    app = town.home.app()
    first = town.up["token"]
    assert town.as_token(first, "env", "set", app, "A=1").code == 0
    assert town.as_token("wl_wrong", "apps").code == 9
    made = town.home.ok("token", "create", "ci", "--scope", "env.read", "--app", app, "--expires", "1h")
    assert town.as_token(made["token"], "env", "list", app).document["items"][0]["name"] == "A"
    for words in (("env", "set", app, "A=2"), ("env", "list", app, "--reveal"), ("doctor",), ("status", "other")):
        assert town.as_token(made["token"], *words).code == 9, words
    town.home.ok("token", "revoke", made["id"])
    assert town.as_token(made["token"], "env", "list", app).code == 9
    kept = b"".join(contents_of(town.home.home).values())
    assert not any(text.encode() in kept for text in (first, made["token"]))


def test_the_first_admin_comes_by_the_link_that_up_printed(town: Town) -> None:
    link = urlsplit(town.home.up(*town.listen)["setup"])
    assert (link.scheme, link.port) == ("https", town.port)
    status, headers, _ = town.post(link.path, {"name": "ann", "password": PASSWORD})
    assert status == 200
    assert headers["set-cookie"].startswith("__Host-windlass=")
    assert "secure" in headers["set-cookie"].lower()
    assert town.post(link.path, {"name": "eve", "password": PASSWORD})[0] == 404
    assert town.home.up(*town.listen)["setup"] is None
    assert [u["user"] for u in town.home.ok("user", "list")["items"]] == ["ann"]


def test_fifty_wrong_passwords(town: Town) -> None:
    town.home.ok("user", "add", "bob", "--role", "viewer")
    seen = [town.post("/login", {"name": "bob", "password": f"wrong-{n}"})[0] for n in range(50)]
    assert seen == [401] * 5 + [429] * 45
    actions = [i["action"] for i in town.audit()]
    assert (actions.count("login.failed"), actions.count("login.locked")) == (5, 1)
    town.home.ok("user", "unlock", "bob")
    assert town.home.ok("audit", "verify")["status"] == "ok"


def test_killed_while_variables_change_and_the_log_is_whole(town: Town) -> None:
    """What was answered is there and written down; what was written down last may have been cut off."""
    app, done = town.home.app(), []
    numbers = iter(range(1000))
    chance = random.Random(4)

    def change() -> None:
        for number in numbers:
            body = json.dumps({"values": {f"N{number}": str(number)}}).encode()
            connection = town.home.api_connection()
            try:
                connection.request("PUT", f"/api/v1/apps/{app}/env", body, {"Content-Type": "application/json"})
                if connection.getresponse().status != 200:
                    return
            except (OSError, http.client.HTTPException):
                return
            finally:
                connection.close()
            done.append(f"N{number}")

    for _ in range(4):
        worker = threading.Thread(target=change)
        worker.start()
        time.sleep(0.1 + chance.random() * 0.4)
        town.home.kill()
        worker.join()
        town.home.up(*town.listen)
        assert town.home.ok("audit", "verify")["status"] == "ok"
    kept = {i["name"] for i in town.home.ok("env", "list", app)["items"]}
    written = {name for i in town.audit() if i["action"] == "env.set" for name in i["data"].get("values", ())}
    assert len(done) > 10
    assert set(done) <= kept <= written


def test_a_second_person_approves_also_when_windlass_is_killed(town: Town) -> None:
    """It is approved or not, whenever that is; what was approved goes live, and nothing else does."""
    app, chance = town.home.app(), random.Random(7)
    folder = write(town.home.folder / app, {"compose.yaml": WEB, "windlass.yaml": "verify: {bake: 0s}\n"})
    town.home.deploy(folder, app)
    assert town.home.ok("protect", app, "--approval")["approval_s"] == 86400.0
    dora = town.person("dora", "maintainer")
    asked = town.as_token(dora, "deploy", folder, "--app", app, "--force", "--detach").document
    id = asked["deployment"]
    assert (asked["status"], asked["approval"]["state"]) == ("queued", "waiting")
    assert town.as_token(dora, "approve", id).codes == {"approval_own"}
    town.home.ok("restart", app)
    approving = town.home.begin("approve", id)
    time.sleep(chance.random() * 0.5)
    town.home.kill()
    approving.wait()
    town.home.up(*town.listen)
    state = town.home.ok("status", app)["deployment"]
    if state is not None and (state["approval"] or {}).get("state") == "waiting":
        assert [r["release"] for r in town.home.releases(app)] == [1]
        town.home.ok("approve", id)
    assert town.ended(id) == "live"
    assert town.home.ok("audit", "verify")["status"] == "ok"


def test_tampering_is_told(town: Town) -> None:
    """Last: it breaks the log."""
    with sqlite3.connect(town.home.home / "windlass.db") as database:
        database.execute("UPDATE audit SET actor = 'eve' WHERE number = 3")
        database.execute("DELETE FROM audit WHERE number = 5")
        database.execute("DELETE FROM audit WHERE number > (SELECT max(number) - 2 FROM audit)")
    database.close()
    told = town.home.run("audit", "verify")
    assert (told.code, told.document["status"]) == (1, "broken")
    assert [i["code"] for i in told.document["items"]] == ["audit_changed", "audit_removed", "audit_cut"]
