"""Which items consent can be given to, and what someone meant who named another."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Collection, Sequence

from windlass.domain.errors import Detail, WindlassError
from windlass.domain.names import relative_path

# Every kind of wish, by what its item begins with.
KINDS = frozenset(
    {
        "bind", "build_context", "build_entitlements", "build_network", "build_privileged", "build_remote",
        "build_ssh", "cap_add", "cgroup", "cgroup_parent", "credential_spec", "device_cgroup_rules", "devices",
        "driver_opts", "external_links", "gpus", "ipc", "network", "network_driver", "network_mode", "network_opts",
        "host", "pid", "privileged", "runtime", "security_opt", "sysctls", "userns_mode", "uts", "volume",
        "volume_driver", "volumes_from",
    }
)  # fmt: skip
_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_CLOSE = 0.6


def unknown_items(items: Sequence[str], wishes: Collection[str] | None, app: str) -> list[Detail]:
    """Why not to these. `wishes`: items of the newest project that was read; None before the first one was.

    Answers to what a deploy asks (`data:PATH`, `volume:NAME`) need not be among them.
    """
    found = []
    for item in items:
        kind, _, name = item.partition(":")
        known = _is_answer(kind, name) or (bool(name) and kind in KINDS if wishes is None else item in wishes)
        if not known:
            found.append(_unknown(item, wishes or (), app))
    return found


def _is_answer(kind: str, name: str) -> bool:
    if kind == "data":
        try:
            return relative_path(name) == name
        except WindlassError:
            return False
    return kind == "volume" and _VOLUME.fullmatch(name) is not None


def _unknown(item: str, wishes: Collection[str], app: str) -> Detail:
    close = difflib.get_close_matches(item, sorted(wishes), n=1, cutoff=_CLOSE)
    if close:
        words = f"{app} does not wish {item!r}: did you mean {close[0]}?"
        return Detail("consent_unknown", item, words, f"windlass consent {app} {shlex.quote(close[0])}")
    words = f"{app} does not wish {item!r}"
    return Detail("consent_unknown", item, words, f"windlass consent {app} lists what it wishes")
