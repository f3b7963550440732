"""The child that asks, against small servers of this test: each fault of the network, of TLS and of what answers."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.fakes.engine import FakeEngine

from windlass.adapters.outpost.bucket import signature
from windlass.adapters.outpost.outpost import ChildOutposts
from windlass.domain.outposts import Depth, Kind, Reply, Step, Target, Tls

Serve = Callable[[socket.socket], None]
LIMIT_S = 3.0


# ---- certificates ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority (ca.pem), and with good.pem, expired.pem, other.pem (another host's)."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - dt.timedelta(9)).not_valid_after(now + dt.timedelta(9))
    authority = builder.add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    for file, host, days in (("good", "127.0.0.1", 1), ("expired", "127.0.0.1", -1), ("other", "192.0.2.1", 1)):
        own = ec.generate_private_key(ec.SECP256R1())
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, file)]))
            .issuer_name(name)
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(5))
            .not_valid_after(now + dt.timedelta(days))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), False)
            .sign(key, hashes.SHA256())
        )
        private = own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{file}.pem").write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return folder


# ---- servers --------------------------------------------------------------------------------------------------------


@contextmanager
def served(serve: Serve, certificate: Path | None = None) -> Iterator[int]:
    """A port on which every connection is given to `serve`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
    if context is not None:
        context.load_cert_chain(str(certificate))
    with socket.create_server(("127.0.0.1", 0)) as server:

        def work(connection: socket.socket) -> None:
            with connection:
                try:
                    connection.settimeout(5)
                    if context is None:
                        serve(connection)
                        return
                    with context.wrap_socket(connection, server_side=True) as secured:
                        serve(secured)
                except (OSError, EOFError):
                    return

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=work, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def says(data: bytes, after: int = 1) -> Serve:
    """Sends this once it was sent so many bytes; 0: at once."""

    def serve(connection: socket.socket) -> None:
        if after:
            connection.recv(65536)
        connection.sendall(data)
        connection.recv(65536)

    return serve


def silent(connection: socket.socket) -> None:
    time.sleep(LIMIT_S + 2)


def hangs_up(connection: socket.socket) -> None:
    connection.recv(1)


def answers(status: str, body: str = "", headers: str = "") -> Serve:
    text = f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    return says(text.encode())


def s3_error(status: str, code: str, more: str = "") -> Serve:
    return answers(status, f"<?xml version='1.0'?><Error><Code>{code}</Code>{more}</Error>")


def pg(state: str, routine: str = "auth_failed") -> Serve:
    body = f"SFATAL\0VFATAL\0C{state}\0Mverboten\0R{routine}\0\0".encode()
    return says(b"E" + (len(body) + 4).to_bytes(4, "big") + body)


def ask(target: Target) -> Reply:
    (reply,) = ChildOutposts(FakeEngine()).ask(0, [target], LIMIT_S)
    return reply


NONE, FULL = Tls.NONE, Tls.FULL
OK = (Step.DONE, "")

# what is asked, TLS, what the server does -> what is told; "+login" in the name: with user and password
CASES: dict[str, tuple[Kind, Tls, Serve, tuple[Step, str]]] = {
    "silent": (Kind.REDIS, NONE, silent, (Step.NETWORK, "silent")),
    "hangs up": (Kind.REDIS, NONE, hangs_up, (Step.NETWORK, "closed")),
    "no TLS": (Kind.HTTP, FULL, says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), (Step.TLS, "none")),
    "hangs up at TLS": (Kind.HTTP, FULL, hangs_up, (Step.TLS, "silent")),
    "silent at TLS": (Kind.HTTP, FULL, silent, (Step.TLS, "silent")),
    "postgres that is none": (Kind.POSTGRES, NONE, says(b"HTTP/1.1 400 Bad"), (Step.PROTOCOL, "other")),
    "postgres, wrong": (Kind.POSTGRES, NONE, pg("28P01"), (Step.CREDENTIALS, "wrong")),
    "postgres, address": (Kind.POSTGRES, NONE, pg("28000", "ClientAuthentication"), (Step.PERMISSION, "address")),
    "postgres, no log-in": (Kind.POSTGRES, NONE, pg("28000"), (Step.PERMISSION, "login")),
    "postgres, no right": (Kind.POSTGRES, NONE, pg("42501"), (Step.PERMISSION, "denied")),
    "postgres, none of that name": (Kind.POSTGRES, NONE, pg("3D000"), (Step.DATABASE, "missing")),
    "postgres, full": (Kind.POSTGRES, NONE, pg("53300"), (Step.BUSY, "full")),
    "postgres, starting": (Kind.POSTGRES, NONE, pg("57P03"), (Step.BUSY, "starting")),
    "postgres without TLS": (Kind.POSTGRES, Tls.REQUIRE, says(b"N"), (Step.TLS, "none")),
    "postgres, another way": (Kind.POSTGRES, NONE, says(b"R\0\0\0\x08\0\0\0\x07"), (Step.PROTOCOL, "version")),
    "redis": (Kind.REDIS, NONE, says(b"+OK\r\n+PONG\r\n"), OK),
    "redis, wrong": (Kind.REDIS, NONE, says(b"-WRONGPASS invalid\r\n"), (Step.CREDENTIALS, "wrong")),
    "redis, wrong, old": (Kind.REDIS, NONE, says(b"-ERR invalid password\r\n"), (Step.CREDENTIALS, "wrong")),
    "redis, none set": (
        Kind.REDIS,
        NONE,
        says(b"-ERR AUTH <password> called without any password configured\r\n"),
        (Step.CREDENTIALS, "needless"),
    ),
    "redis, loading": (Kind.REDIS, NONE, says(b"+OK\r\n-LOADING\r\n"), (Step.BUSY, "starting")),
    "redis, protected": (Kind.REDIS, NONE, says(b"-DENIED mode\r\n", 0), (Step.PERMISSION, "address")),
    "redis that is none": (Kind.REDIS, NONE, says(b"HTTP/1.1 400"), (Step.PROTOCOL, "other")),
    "mysql": (Kind.MYSQL, NONE, says(b"\x4a\0\0\0\x0a8.0.36\0", 0), OK),
    "mysql, address": (Kind.MYSQL, NONE, says(b"\x45\0\0\0\xff\x6a\x04Host", 0), (Step.PERMISSION, "address")),
    "mysql that is none": (Kind.MYSQL, NONE, says(b"220 mail.test\r\n", 0), (Step.PROTOCOL, "other")),
    "amqp": (Kind.AMQP, NONE, says(b"\x01\0\0\0\0\x01\xf0\0\x0a\0\x0a"), OK),
    "amqp, another version": (Kind.AMQP, NONE, says(b"AMQP\0\0\x09\x01"), OK),
    "amqp that is none": (Kind.AMQP, NONE, says(b"HTTP/1.1 400"), (Step.PROTOCOL, "other")),
    "http, any answer": (Kind.HTTP, NONE, answers("503 Down"), OK),
    "http, turned away": (Kind.HTTP, NONE, answers("401 No"), (Step.CREDENTIALS, "wrong")),
    "http that is none": (Kind.HTTP, NONE, says(b"+PONG\r\n"), (Step.PROTOCOL, "other")),
    "s3, key": (Kind.S3, NONE, s3_error("403 No", "InvalidAccessKeyId"), (Step.CREDENTIALS, "key")),
    "s3, secret": (Kind.S3, NONE, s3_error("403 No", "SignatureDoesNotMatch"), (Step.CREDENTIALS, "signature")),
    "s3, clock": (Kind.S3, NONE, s3_error("403 No", "RequestTimeTooSkewed"), (Step.CREDENTIALS, "clock")),
    "s3, permission": (Kind.S3, NONE, s3_error("403 No", "AccessDenied"), (Step.PERMISSION, "bucket")),
    "s3, bucket": (Kind.S3, NONE, s3_error("404 No", "NoSuchBucket"), (Step.BUCKET, "missing")),
    "s3, bucket, no words": (Kind.S3, NONE, answers("404 No"), (Step.BUCKET, "missing")),
    "s3, down": (Kind.S3, NONE, answers("502 Bad"), (Step.BUSY, "failing")),
    "s3 that is none": (Kind.S3, NONE, answers("200 OK", "<html>"), (Step.PROTOCOL, "other")),
    "s3": (Kind.S3, NONE, answers("200 OK", "<ListBucketResult/>"), OK),
}


NAMES = {Kind.HTTP: "/x", Kind.REDIS: ""}


@pytest.mark.parametrize("name", CASES)
def test_every_fault_is_told_for_what_it_is(name: str) -> None:
    kind, tls, serve, expected = CASES[name]
    with served(serve) as port:
        reply = ask(Target("X", kind, (("127.0.0.1", port),), tls, "user", "secret", NAMES.get(kind, "x")))
    assert (reply.step, reply.why) == expected, reply


def test_a_closed_port() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        reply = ask(Target("X", Kind.TCP, (("127.0.0.1", free.getsockname()[1]),)))
    assert (reply.step, reply.why) == (Step.NETWORK, "refused")


def test_any_server_of_several_will_do() -> None:
    with served(says(b"+PONG\r\n")) as port:
        servers = (("nowhere.invalid", 1), ("127.0.0.1", port))
        assert ask(Target("X", Kind.REDIS, servers)) == Reply(depth=Depth.ANSWER, seconds=pytest.approx(1, abs=9))


# certificate, TLS asked for -> what is told
CERTIFICATES: list[tuple[str, Tls, tuple[Step, str]]] = [
    ("good", Tls.FULL, OK),
    ("expired", Tls.FULL, (Step.TLS, "expired")),
    ("other", Tls.FULL, (Step.TLS, "name")),
    ("other", Tls.CHAIN, OK),
    ("expired", Tls.REQUIRE, OK),
    ("good", Tls.NONE, (Step.TLS, "needed")),
]


@pytest.mark.parametrize(("name", "tls", "expected"), CERTIFICATES)
def test_certificates(
    certificates: Path, monkeypatch: pytest.MonkeyPatch, name: str, tls: Tls, expected: tuple[Step, str]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    with served(says(b"+PONG\r\n"), certificates / f"{name}.pem") as port:
        reply = ask(Target("X", Kind.REDIS, (("127.0.0.1", port),), tls))
    assert (reply.step, reply.why) == expected, reply


def test_an_authority_that_nobody_knows(certificates: Path) -> None:
    with served(says(b"+PONG\r\n"), certificates / "good.pem") as port:
        reply = ask(Target("X", Kind.REDIS, (("127.0.0.1", port),), Tls.FULL))
    assert (reply.step, reply.why) == (Step.TLS, "unknown")


# ---- S3 -------------------------------------------------------------------------------------------------------------


def test_a_bucket_of_another_region_is_asked_again_there() -> None:
    seen: list[str] = []

    def serve(connection: socket.socket) -> None:
        seen.append(connection.recv(65536).decode())
        wanted = "/eu-central-1/" in seen[-1]
        body = (
            "<ListBucketResult/>"
            if wanted
            else "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-central-1</Region></Error>"
        )
        status = "200 OK" if wanted else "400 Bad Request"
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    with served(serve) as port:
        target = Target("X", Kind.S3, (("127.0.0.1", port),), Tls.NONE, "key", "secret", "media", "us-east-1")
        assert ask(target).depth is Depth.LOGIN
    assert len(seen) == 2
    assert seen[0].startswith("GET /media?list-type=2&max-keys=1 HTTP/1.1\r\n")
    assert "secret" not in "".join(seen)


def test_the_signature_covers_host_path_and_time() -> None:
    target = Target("X", Kind.S3, (("s3.test", 9000),), Tls.NONE, "key", "secret", "me dia", "auto")
    made = signature(target, "20260102T030405Z")
    assert re.fullmatch(
        "AWS4-HMAC-SHA256 Credential=key/20260102/auto/s3/aws4_request, "
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}",
        made["Authorization"],
    )
    others = [
        signature(
            Target("X", Kind.S3, (("s3.test", 9001),), Tls.NONE, "key", "secret", "me dia", "auto"), made["X-Amz-Date"]
        ),
        signature(
            Target("X", Kind.S3, (("s3.test", 9000),), Tls.NONE, "key", "secret", "media", "auto"), made["X-Amz-Date"]
        ),
        signature(target, "20260102T030406Z"),
    ]
    assert len({o["Authorization"] for o in [made, *others]}) == 4


# ---- the child itself -----------------------------------------------------------------------------------------------


def test_all_are_asked_at_once_and_the_limit_holds() -> None:
    together = threading.Barrier(8)
    met: list[int] = []

    def stay_silent(connection: socket.socket) -> None:
        met.append(together.wait())  # for the other seven, who are asked while this one is
        time.sleep(LIMIT_S + 2)

    with ExitStack() as stack:
        ports = [stack.enter_context(served(stay_silent)) for _ in range(8)]
        targets = [Target(f"X{port}", Kind.REDIS, (("127.0.0.1", port),)) for port in ports]
        replies = ChildOutposts(FakeEngine()).ask(0, targets, LIMIT_S)
    assert [(r.step, r.why) for r in replies] == [(Step.NETWORK, "silent")] * 8
    assert sorted(met) == list(range(8))


@pytest.mark.real
def test_it_runs_as_nobody_and_shows_no_secret() -> None:
    seen: dict[str, str] = {}

    def look(connection: socket.socket) -> None:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_text().split("\0")
                if words[-2:-1] == ["windlass.adapters.outpost.child"]:
                    seen["words"] = " ".join(words) + (folder / "environ").read_text()
                    seen["status"] = (folder / "status").read_text()
            except OSError:
                continue
        says(b"+OK\r\n+PONG\r\n")(connection)

    with served(look) as port:
        assert ask(Target("X", Kind.REDIS, (("127.0.0.1", port),), password="the-secret")).is_good
    assert "the-secret" not in seen["words"]
    assert "Uid:\t65534\t65534\t65534\t65534" in seen["status"]
    assert "Groups:\t \n" in seen["status"]
    assert re.search(r"CapEff:\t0+\n", seen["status"])


def test_what_it_cannot_read_is_no_secret_in_its_words() -> None:
    asked = {"pid": 0, "limit_s": 1, "targets": [{"kind": "nonsense", "tls": "none", "password": "the-secret"}]}
    argv = [sys.executable, "-m", "windlass.adapters.outpost.child"]
    ended = subprocess.run(argv, input=json.dumps(asked), capture_output=True, text=True, env=os.environ, check=False)
    assert ended.returncode != 0
    assert "the-secret" not in ended.stdout + ended.stderr
