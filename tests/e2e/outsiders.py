"""Outside services in containers of their own, on a network that apps join: PostgreSQL, Redis with TLS, S3 servers."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.e2e.engines import ROOT
from tests.e2e.station import eventually

IMAGES = ("postgres", "redis", "s3", "moto")
READY_S = 60.0
PASSWORD = "p@ss/w:rd#1"
SECRET = "k-9f31c7ab44d0e2"

# Before any key is asked for: two buckets, a user who may use one of them, and list whether others are there.
SEED = """
import boto3, json
known = dict(endpoint_url="http://127.0.0.1:5000", region_name="us-east-1")
known |= dict(aws_access_key_id="x", aws_secret_access_key="y")
s3, iam = boto3.client("s3", **known), boto3.client("iam", **known)
s3.create_bucket(Bucket="media")
s3.create_bucket(Bucket="private")
iam.create_user(UserName="app")
arns = [f"arn:aws:s3:::{name}" for name in ("media", "media/*", "missing")]
rule = {"Effect": "Allow", "Action": "s3:*", "Resource": arns}
document = json.dumps({"Version": "2012-10-17", "Statement": [rule]})
iam.put_user_policy(UserName="app", PolicyName="media", PolicyDocument=document)
key = iam.create_access_key(UserName="app")["AccessKey"]
print(json.dumps([key["AccessKeyId"], key["SecretAccessKey"]]))
"""
SEED_CALLS = 6


@dataclass
class Outsiders:
    """`network`: external, for the apps; the services are known on it by `host(NAME)`."""

    client: docker.DockerClient
    folder: Path
    mark: str = field(default_factory=lambda: f"wlt-{secrets.token_hex(4)}")
    policy_key: tuple[str, str] = ("", "")

    @property
    def network(self) -> str:
        return self.mark

    @property
    def authority(self) -> Path:
        """The certificate of the authority that signed for `tls`, and nobody's for `strange`."""
        return self.folder / "tls" / "ca.pem"

    def host(self, name: str) -> str:
        return f"{self.mark}-{name}"

    def start(self) -> None:
        self.client.networks.create(self.network, labels={"wlt": self.mark})
        database = {"POSTGRES_USER": "app", "POSTGRES_PASSWORD": PASSWORD, "POSTGRES_DB": "shop"}
        self._run("pg", "postgres:16", environment=database)
        self._run("redis", "redis:7", ["--requirepass", SECRET])
        for name in ("tls", "strange"):
            certify(self.folder / name, self.host(name))
            files = {str(self.folder / name): {"bind": "/tls", "mode": "ro"}}
            words = "--port 0 --tls-port 6380 --tls-auth-clients no --tls-cert-file /tls/cert.pem --tls-key-file"
            words += f" /tls/key.pem --tls-ca-cert-file /tls/ca.pem --requirepass {SECRET}"
            self._run(name, "redis:7", words.split(), volumes=files)
        keys = {"MINIO_ROOT_USER": "key", "MINIO_ROOT_PASSWORD": SECRET}
        self._run("s3", "minio/minio", ["server", "/data"], environment=keys)
        self._run("policy", "motoserver/moto", environment={"INITIAL_NO_AUTH_ACTION_COUNT": str(SEED_CALLS)})
        self._await("pg", "pg_isready -h 127.0.0.1 -U app -d shop")
        self._await("s3", "mc ready local")
        self._exec("s3", ["mkdir", "/data/media"])
        self._await("policy", "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 5000))'")
        self.policy_key = tuple(json.loads(self._exec("policy", ["python3", "-c", SEED])))

    def _run(self, name: str, image: str, command: list[str] | None = None, **more: Any) -> None:
        known = {"name": self.host(name), "network": self.network, "labels": {"wlt": self.mark}, "detach": True}
        self.client.containers.run(image, command, **known, **more)

    def _exec(self, name: str, argv: list[str]) -> str:
        code, output = self.client.containers.get(self.host(name)).exec_run(argv)
        assert code == 0, output.decode()
        return str(output.decode())

    def _await(self, name: str, command: str) -> None:
        container = self.client.containers.get(self.host(name))
        ready = eventually(lambda: container.exec_run(["sh", "-c", command]).exit_code == 0, READY_S, 0.2)
        assert ready, container.logs(tail=20).decode()

    def remove(self) -> None:
        for container in self.client.containers.list(all=True, filters={"label": f"wlt={self.mark}"}):
            container.remove(force=True, v=True)
        for network in self.client.networks.list(filters={"label": f"wlt={self.mark}"}):
            network.remove()


@contextlib.contextmanager
def outsiders() -> Iterator[Outsiders]:
    """All of them, ready; gone afterwards."""
    subprocess.run([str(ROOT / "lab" / "images.sh"), *IMAGES], check=True)
    client = docker.from_env()
    with tempfile.TemporaryDirectory(prefix="wlt-") as folder:
        Path(folder).chmod(0o755)
        made = Outsiders(client, Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.remove()
            client.close()


def certify(folder: Path, host: str) -> None:
    """An authority of its own (ca.pem), and its certificate for this host (cert.pem, key.pem)."""
    folder.mkdir(mode=0o755)
    now = dt.datetime.now(dt.UTC)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Authority of {host}")])
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    for file, subject, key in (("ca", issuer, keys[0]), ("cert", x509.Name([]), keys[1])):
        builder = x509.CertificateBuilder().issuer_name(issuer).subject_name(subject).public_key(key.public_key())
        builder = builder.not_valid_before(now - dt.timedelta(1)).not_valid_after(now + dt.timedelta(1))
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.add_extension(x509.BasicConstraints(file == "ca", None), True)
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        made = builder.add_extension(names, file == "cert").sign(keys[0], hashes.SHA256())
        (folder / f"{file}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(keys[1].private_bytes(serialization.Encoding.PEM, *form))
