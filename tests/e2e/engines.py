"""The engines that tests work with: the machine's own, and more of the lab's, to be restarted, killed or filled."""

from __future__ import annotations

import os
import subprocess
from functools import cached_property
from pathlib import Path

import docker

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "lab" / "second-engine.sh"


class Engine:
    """The machine's own Docker Engine."""

    prefix: tuple[str, ...] = ()
    address = "127.0.0.1"
    environment: dict[str, str] = {}

    @cached_property
    def client(self) -> docker.DockerClient:
        return docker.from_env(timeout=60)


class SecondEngine(Engine):
    """An engine of the lab, in a network of its own. Its windlass runs inside that network."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefix = (str(SCRIPT), "--name", name, "exec", "--")

    def lab(self, *words: str) -> str:
        """A command of the script; what it printed."""
        done = subprocess.run(
            [str(SCRIPT), "--name", self.name, *words], capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def up(self, *images: str, tmpfs: str = "") -> None:
        self.lab("up", *(("--tmpfs", tmpfs) if tmpfs else ()))
        if images:
            self.lab("load", *images)

    @cached_property
    def client(self) -> docker.DockerClient:
        return docker.DockerClient(f"unix://{self.lab('socket').strip()}", timeout=60)

    @cached_property
    def address(self) -> str:
        """Where this machine reaches that network: the far end of the link between them."""
        done = subprocess.run(
            ["ip", "-n", f"lab-{self.name}", "-o", "-4", "addr", "show", "eth0"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.split(" inet ")[1].split("/")[0]

    @property
    def environment(self) -> dict[str, str]:
        return {"DOCKER_HOST": f"unix://{self.lab('socket').strip()}"}


def processes_of(home: Path) -> list[int]:
    """Every process with this WINDLASS_HOME in its environment."""
    mark = f"WINDLASS_HOME={home}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark in variables:
                found.append(int(entry.name))
    return found
