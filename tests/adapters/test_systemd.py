"""Giving the control plane to systemd, played by a program that keeps what it was told."""

from pathlib import Path

import pytest

from windlass.adapters import systemd
from windlass.domain.errors import Failed, Refused


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with systemctl's command lines; it fails for a line that holds `broken`."""
    lines = tmp_path / "told"
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {lines}\ncase "$*" in *broken*) echo no such unit; exit 5;; esac\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(systemd, "_UNITS", tmp_path)
    monkeypatch.setattr(systemd, "_RUNNING", tmp_path)
    return lines


def test_enabled_now_and_at_every_boot(told: Path) -> None:
    systemd.check_systemd()
    systemd.enable("ab12", ["/bin/echo"], {"WINDLASS_HOME": "/h"})
    unit = "windlass-ab12.service"
    assert told.read_text().splitlines() == ["daemon-reload", f"enable {unit}", f"restart {unit}"]
    assert 'Environment="WINDLASS_HOME=/h"' in systemd.unit_file("ab12").read_text()
    systemd.disable("ab12")
    assert told.read_text().splitlines()[-1] == f"disable --now {unit}"


def test_systemctls_own_words(told: Path) -> None:
    with pytest.raises(Failed, match="no such unit") as found:
        systemd.disable("broken")
    assert found.value.code == "systemd_failed"


def test_refused_where_systemd_does_not_run(told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "_RUNNING", told.parent / "nothing")
    with pytest.raises(Refused) as found:
        systemd.check_systemd()
    assert found.value.code == "no_systemd"
    monkeypatch.setattr(systemd, "_RUNNING", told.parent)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(Refused, match="root"):
        systemd.check_systemd()
