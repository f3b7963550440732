"""No secret lies in clear in any file of the home: the database, its write-ahead file, the log, beside the key."""

from __future__ import annotations

import json
from pathlib import Path

import structlog
from tests.contents import contents_of

from windlass.adapters.log import open_log
from windlass.adapters.store.store import open_store
from windlass.domain.records import App, Deployment, Job
from windlass.domain.redact import Redactor, spellings
from windlass.domain.release import DeploymentStatus

SECRETS = {
    "DB_PASSWORD": 'p$ss w/rd+"quoted"&more',
    "JWT_SECRET": "9f8e7d6c5b4a39281706f5e4d3c2b1a0",
    "DATABASE_URL": "postgres://shop:s3cr%2Ft-of-the-url@db:5432/shop",
    "TLS_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n",
}
MODEL = json.dumps({"services": {"web": {"environment": SECRETS}}}).encode()


def test_no_file_of_the_home_holds_a_secret(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/windlass.db", tmp_path / "master.key")
    redactor = Redactor(SECRETS)
    close_log = open_log(tmp_path / "windlass.log", redactor.redact_data)
    store.apps.add(App("shop", 1.0))
    store.variables.set("shop", SECRETS, 1.0)
    store.releases.add("shop", 1.0, "upload", "")
    store.releases.save_snapshot("shop", 1, MODEL)
    deployment = Deployment("d1", "shop", "deploy", DeploymentStatus.QUEUED, 1.0)
    store.deployments.add(deployment, Job("d1", "deployment", "shop", {}, "queued", 1.0, 1.0), MODEL)
    for secret in SECRETS.values():
        store.events.add(1.0, "shop", "d1", "line", redactor.redact_data({"text": f"connecting with {secret}"}))
        structlog.get_logger("windlass.x").error("failed", why=secret)
    assert_no_secret_in(tmp_path)
    store.variables.set("shop", dict.fromkeys(SECRETS, "short"), 2.0)
    store.apps.remove("shop")
    store.close()
    close_log()
    assert_no_secret_in(tmp_path)


def assert_no_secret_in(home: Path) -> None:
    files = contents_of(home)
    assert {"windlass.db", "master.key", "windlass.log"} <= {file.name for file in files}
    for file, content in files.items():
        for name, secret in SECRETS.items():
            for part in {secret, *secret.splitlines()[1:2], "s3cr%2Ft-of-the-url", "s3cr/t-of-the-url"}:
                found = [s for s in spellings(part) if s.encode() in content]
                assert not found, f"{name} in {file.name}"
