"""The master key: who is protected by it, and its rotation, which a crash at any moment leaves to be gone on with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from windlass.domain.errors import Detail, Failed, WindlassError
from windlass.ports.outside import Outside
from windlass.ports.store import Keys, SealedPlace

BATCH = 20  # values in one transaction: whoever writes meanwhile waits no longer than these take


def key_status(outside: Outside) -> dict[str, Any]:
    """{"key", "changed_at", "rotation": done or unfinished, "items": [{"key", "state", "values"}]}; never a key.

    `key` is an id. `state`: current, older (opens what is left under it), or missing (these values cannot be opened).
    """
    use = outside.store.keys.use()
    states = {use.current: "current", **dict.fromkeys(use.older, "older")}
    items = [{"key": id, "state": states.get(id, "missing"), "values": n} for id, n in use.counts.items()]
    return {
        "key": use.current,
        "changed_at": use.changed_at,
        "rotation": "unfinished" if use.older else "done",
        "items": items,
    }


def rotate_key(outside: Outside) -> dict[str, Any]:
    """Every value under a new key, then the old one is forgotten; or the end of the rotation that was cut off.

    Deployments go on meanwhile. Answers {"key", "before", "resealed", "resumed"}. Raises Conflict rotation_running;
    Failed values_unreadable when values do not open: the old key is kept for them, and nothing is lost by it.
    """
    keys = outside.store.keys
    with keys.alone():
        resumed = keys.is_rotating()
        before = keys.use().older[0] if resumed else keys.use().current
        if not resumed:
            keys.add()
            _note(outside, "a new key seals; what older ones sealed is being sealed anew")
        resealed = _finish(keys)
        after = keys.use().current
        _note(outside, f"the key {before} is forgotten, {after} took its place")
    return {"key": after, "before": before, "resealed": resealed, "resumed": resumed}


def resume_rotation(outside: Outside) -> None:
    """At the start: go on with a rotation that was cut off; one that cannot be finished now is told in the events."""
    if not outside.store.keys.is_rotating():
        return
    try:
        rotate_key(outside)
    except WindlassError as error:
        _note(outside, f"the rotation of the key could not be finished: {error.message}")


def _finish(keys: Keys) -> int:
    """Seal anew until nothing is left under an older key. How many values that were."""
    resealed = 0
    while True:
        stale = keys.stale()
        closed: list[SealedPlace] = []
        for start in range(0, len(stale), BATCH):
            closed += keys.reseal(stale[start : start + BATCH])
        resealed += len(stale) - len(closed)
        if closed:
            raise _unreadable(closed)
        if keys.drop_unused():
            return resealed


def _unreadable(places: Sequence[SealedPlace]) -> Failed:
    details = [
        Detail("sealed_unreadable", p.words, f"{p.words}: cannot be decrypted", "set it again, or remove it")
        for p in places
    ]
    return Failed(
        f"{len(places)} values cannot be decrypted, so the older key is kept; all others are under the new one",
        code="values_unreadable",
        hint="then again: windlass key rotate",
        details=details,
    )


def _note(outside: Outside, text: str) -> None:
    outside.store.events.add(outside.clock.now(), "", "", "key", {"text": text})
