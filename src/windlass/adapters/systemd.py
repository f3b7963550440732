"""Gives the control plane to systemd, where that runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from windlass.adapters.daemon import unit_text
from windlass.adapters.process import Command, run, surroundings
from windlass.domain.errors import Failed, Refused

_RUNNING = Path("/run/systemd/system")
_UNITS = Path("/etc/systemd/system")


def unit_file(instance: str) -> Path:
    return _UNITS / f"windlass-{instance}.service"


def check_systemd() -> None:
    """Raises Refused where systemd does not run, or we may not give it units."""
    if not _RUNNING.is_dir():
        raise Refused("systemd does not run here", code="no_systemd", hint="windlass up")
    if os.geteuid() != 0:
        raise Refused("a system unit can be written by root only", code="no_systemd", hint="sudo windlass up --systemd")


def enable(instance: str, command: list[str], variables: Mapping[str, str]) -> None:
    """Write the unit, start it now and at every boot."""
    file = unit_file(instance)
    temporary = file.with_suffix(".new")
    temporary.write_text(unit_text(command, variables))
    temporary.replace(file)
    _systemctl("daemon-reload")
    _systemctl("enable", file.name)
    _systemctl("restart", file.name)


def disable(instance: str) -> None:
    """Stop it, now and at the next boot."""
    _systemctl("disable", "--now", unit_file(instance).name)


def _systemctl(*words: str) -> None:
    result = run(Command(("systemctl", *words), environment=surroundings(), timeout_s=60.0))
    if result.code != 0:
        raise Failed(f"systemctl {words[0]} failed: {' '.join(result.lines[-3:])}", code="systemd_failed")
