"""Whether an app's containers will reach the outside services that its variables name, and get in: asked from there."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

from windlass.domain.checks import Finding, is_skipped
from windlass.domain.errors import OutOfReach, WindlassError
from windlass.domain.names import shown
from windlass.domain.outposts import Reply, Standpoint, Step, Target, Visit
from windlass.domain.outsideservices import Landscape, find_visits
from windlass.domain.reachwords import CHECK, tell_unasked, tell_visit
from windlass.ports.outposts import Closed
from windlass.ports.outside import Outside
from windlass.usecases.outposts import Sender, ask_from

LIMIT_S = 5.0
_ENDS_S = 1.0  # of the limit: for what comes before the asking itself and after it
REMEMBERED_S = 300.0


@dataclass(frozen=True)
class _Answer:
    """Of one visit: the reply, or why it was not asked."""

    visit: Visit
    reply: Reply = Reply()
    unasked: str = ""


def reachability(outside: Outside, land: Landscape, deployment: str = "", skips: Collection[str] = ()) -> list[Finding]:
    """One finding for each variable that leads outside, in the order of the services; nothing when none does.

    All are asked at once, in 5 seconds together. Raises OutOfReach when the engine is away.
    """
    visits = [v for v in find_visits(land) if not is_skipped(f"{CHECK}:{v.target.variable}", skips)]
    until = outside.clock.monotonic() + LIMIT_S - _ENDS_S
    groups: dict[Standpoint, list[Visit]] = defaultdict(list)
    known: dict[Visit, Reply] = {}
    for visit in visits:
        remembered = _remembered(outside, visit)
        if visit.unasked or remembered is not None:
            known[visit] = remembered or Reply()
        else:
            groups[visit.standpoint].append(visit)
    answers = {v: _Answer(v, reply) for v, reply in known.items()}
    sender = Sender(land.app, deployment)
    for answer in _ask_groups(outside, sender, groups, lambda: until - outside.clock.monotonic()):
        answers[answer.visit] = answer
        if answer.reply.is_good and not answer.unasked:
            _remember(outside, answer.visit, answer.reply)
    app = shown(land.app)
    found = [answers[visit] for visit in visits]
    told = [tell_unasked(app, a.visit, a.unasked) if a.unasked else tell_visit(app, a.visit, a.reply) for a in found]
    return list(dict.fromkeys(told))


def _ask_groups(
    outside: Outside, sender: Sender, groups: Mapping[Standpoint, Sequence[Visit]], left: Callable[[], float]
) -> list[_Answer]:
    """From all places at once."""
    if not groups:
        return []
    with ThreadPoolExecutor(len(groups), "outpost") as threads:
        asked = [threads.submit(_ask, outside, sender, place, visits, left) for place, visits in groups.items()]
        return [answer for each in asked for answer in each.result()]


def _ask(
    outside: Outside, sender: Sender, standpoint: Standpoint, visits: Sequence[Visit], left: Callable[[], float]
) -> list[_Answer]:
    """Two variables that say the same are asked as one."""
    targets = {replace(v.target, variable=""): None for v in visits}
    try:
        replies = dict(zip(targets, ask_from(outside, sender, standpoint, list(targets), left), strict=True))
    except OutOfReach:
        raise
    except (Closed, TimeoutError) as error:
        return [_Answer(v, unasked=str(error)) for v in visits]
    except WindlassError as error:
        return [_Answer(v, unasked=error.message) for v in visits]
    return [_Answer(v, _seen_from(standpoint, replies[replace(v.target, variable="")])) for v in visits]


def _seen_from(standpoint: Standpoint, reply: Reply) -> Reply:
    """Where no way leads out, a name that nobody answers for says only that."""
    lost = reply.step is Step.NAME or (reply.step is Step.NETWORK and reply.why in ("unreachable", "timeout"))
    if lost and standpoint.own == "closed" and not standpoint.shared:
        return replace(reply, step=Step.NETWORK, why="internal")
    return reply


# --- what was reached lately -----------------------------------------------------------------------------------------


def _remembered(outside: Outside, visit: Visit) -> Reply | None:
    memory, now = outside.outpost_memory, outside.clock.monotonic()
    with memory.lock:
        for digest in [d for d, (at, _) in memory.reached.items() if now - at > REMEMBERED_S]:
            del memory.reached[digest]
        known = memory.reached.get(_digest(visit.target, visit.standpoint))
    return known[1] if known else None


def _remember(outside: Outside, visit: Visit, reply: Reply) -> None:
    memory = outside.outpost_memory
    with memory.lock:
        memory.reached[_digest(visit.target, visit.standpoint)] = outside.clock.monotonic(), reply


def _digest(target: Target, standpoint: Standpoint) -> str:
    document = json.dumps([asdict(replace(target, variable="")), asdict(standpoint)], sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()
