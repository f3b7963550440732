"""How Git is let in: a token or key that is on no disk, in no argv and in no environment, and SSH host keys."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from windlass.domain import names
from windlass.domain.sources import is_local, is_ssh, token_user
from windlass.ports.sources import Access

CONNECT_S = 20


@dataclass(frozen=True)
class Way:
    """`configuration`: what Git reads as its user's. `variables`: what it needs in its environment beside the rest."""

    configuration: bytes = field(default=b"", repr=False)
    variables: dict[str, str] = field(default_factory=dict)


@contextmanager
def way_to(url: str, access: Access) -> Iterator[Way]:
    """While it lasts, Git can go this way. Host keys that were new are told to `access.pin` when all went well."""
    configured = configuration(url, access)
    if not (access.key and is_ssh(url)):
        yield Way(configured)
        return
    with ExitStack() as stack:
        key, hosts = (stack.enter_context(_memory(text)) for text in (_ended(access.key), access.host_keys))
        settings = stack.enter_context(_memory(ssh_settings(_path(key), _path(hosts), pinned=bool(access.host_keys))))
        yield Way(configured, {"GIT_SSH_COMMAND": f"ssh -F {_path(settings)}", "GIT_SSH_VARIANT": "ssh"})
        if not access.host_keys:
            access.pin(os.pread(hosts, 1 << 16, 0).decode("ascii", "replace"))


def configuration(url: str, access: Access | None = None) -> bytes:
    """The credentials for the server of this address alone, and what a local address needs."""
    access = access or Access()
    lines = ["[safe]", "directory = *"] if is_local(url) else []
    user, password = names.credentials(url)
    if access.token and url.startswith(("https://", "http://")):
        user, password = access.user or token_user(url), access.token
    if user or password:
        place = urlsplit(names.without_credentials(url))
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        lines += [f'[http "{place.scheme}://{place.netloc}/"]', f'extraHeader = "Authorization: Basic {secret}"']
        lines += ["followRedirects = false"]  # Git would take the header along to wherever it is sent
    return "\n".join([*lines, ""]).encode()


def ssh_settings(key: str, hosts: str, *, pinned: bool) -> str:
    """All that ssh is told; nothing of this machine's or user's own settings counts. The paths are ours."""
    return "\n".join(
        (
            "Host *",
            f"IdentityFile {key}",
            "IdentitiesOnly yes",
            "IdentityAgent none",
            f"UserKnownHostsFile {hosts}",
            "GlobalKnownHostsFile /dev/null",
            f"StrictHostKeyChecking {'yes' if pinned else 'accept-new'}",
            "HashKnownHosts no",
            "UpdateHostKeys no",
            "VerifyHostKeyDNS no",
            "BatchMode yes",
            "PreferredAuthentications publickey",
            "ForwardAgent no",
            "ClearAllForwardings yes",
            "PermitLocalCommand no",
            "ControlMaster no",
            "ControlPath none",
            "ProxyCommand none",
            f"ConnectTimeout {CONNECT_S}",
            "ServerAliveInterval 15",
            "ServerAliveCountMax 4",
            "",
        )
    )


@contextmanager
def _memory(text: str) -> Iterator[int]:
    """A file in memory that our children can open, and no other user."""
    descriptor = os.memfd_create("windlass")
    try:
        os.fchmod(descriptor, 0o600)
        os.pwrite(descriptor, text.encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _path(descriptor: int) -> str:
    """By our process and not by the child's own: ssh closes what it inherits."""
    return f"/proc/{os.getpid()}/fd/{descriptor}"


def _ended(key: str) -> str:
    return key if key.endswith("\n") else key + "\n"
