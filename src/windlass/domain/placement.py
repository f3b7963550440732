"""Where every service of a release goes: base or generation, beside the old one or swapped with it, and why."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from windlass.domain.compose import Condition, Model, Service
from windlass.domain.errors import Detail
from windlass.domain.imagehints import ImageHints
from windlass.domain.ordering import needed, needed_names, peers
from windlass.domain.overlap import Verdict, View, judge
from windlass.domain.release import Placement, Role, Strategy
from windlass.domain.roles import JOB_LABEL, is_waited_for_to_be_healthy, is_waited_for_to_end, roles
from windlass.domain.state import BindKinds
from windlass.domain.tasks import Phase

_CARE = {Strategy.ROLLING: 0, Strategy.RECREATE: 1, Strategy.KEEP: 2}


@dataclass(frozen=True)
class Placing:
    """The placements in the file's order, and every reason to refuse them."""

    placements: tuple[Placement, ...]
    problems: tuple[Detail, ...] = ()

    def of(self, service: str) -> Placement:
        return next(p for p in self.placements if p.service == service)


def place(
    model: Model,
    overrides: Mapping[str, Strategy] | None = None,
    images: Mapping[str, ImageHints] | None = None,
    binds: BindKinds | None = None,
    routed: Collection[str] = (),
) -> Placing:
    """Place every service. `overrides` is windlass.yaml's word, `images` and `binds` what could be looked at.

    `routed`: services that a route of another tool's dialect asks for.
    """
    wanted = overrides or {}
    view = View(model, roles(model, images or {}, routed), images or {}, binds or {})
    verdicts = {name: judge(service, view) for name, service in model.services.items()}
    start = {n: _overridden(v, wanted.get(n)) for n, v in verdicts.items()}
    settled = _settle(model, view, start)
    problems = (
        *_unknown_services(model, wanted),
        *_unsafe(model, view, wanted, verdicts, settled),
        *_shared_volumes(view, settled),
    )
    return Placing(tuple(_placement(n, view.role(n), settled[n]) for n in model.services), problems)


def release_jobs(placements: Iterable[Placement], model: Model) -> tuple[str, ...]:
    """Jobs that run before anything of the new version starts: all they need, in turn, is base or other such jobs."""
    found = {p.service: p for p in placements}
    early = {name for name, p in found.items() if p.strategy is Strategy.JOB}

    def is_met(need: str) -> bool:
        return need not in found or need in early or found[need].in_base

    while late := {name for name in early if not all(map(is_met, needed_names(model.services[name])))}:
        early -= late
    return tuple(name for name in found if name in early)


def late_release_jobs(placing: Placing, model: Model) -> list[Detail]:
    """Jobs with the label `windlass.job: release` that cannot run before the new version starts."""
    early = release_jobs(placing.placements, model)
    return [
        Detail(
            "release_job_needs",
            f"services.{name}.depends_on",
            f"{name} is to run before the release starts, but it needs {_not_early(model, name, early, placing)}",
            "let it need stores and other jobs alone, or take the label windlass.job off",
        )
        for name, service in model.services.items()
        if service.labels.get(JOB_LABEL) == Phase.RELEASE and name not in early
    ]


def _not_early(model: Model, name: str, early: Collection[str], placing: Placing) -> str:
    known = {p.service: p for p in placing.placements}
    needs = [n for n in needed_names(model.services[name]) if n in known and not known[n].in_base]
    return ", ".join([n for n in needs if n not in early] or needs)


def base_jobs(placements: Iterable[Placement], model: Model) -> tuple[str, ...]:
    """Those of the release's jobs for whose end a base service waits: they belong before that service."""
    chosen = tuple(placements)
    early = set(release_jobs(chosen, model))
    wanted = {p.service for p in chosen if p.in_base}
    found: set[str] = set()
    while more := {need for name in wanted for need in needed_names(model.services[name]) if need in early} - found:
        found |= more
        wanted = more
    return tuple(p.service for p in chosen if p.service in found)


def _overridden(verdict: Verdict, wanted: Strategy | None) -> Verdict:
    return verdict if wanted is None else Verdict(wanted, f"windlass.yaml says `strategy: {wanted}`")


def _placement(name: str, role: Role, verdict: Verdict) -> Placement:
    if verdict.strategy is Strategy.JOB:
        return Placement(name, Role.JOB, verdict.strategy, verdict.reason)
    return Placement(name, Role.OTHER if role is Role.JOB else role, verdict.strategy, verdict.reason)


# --- what services do to each other -----------------------------------------------------------------------------------


def _settle(model: Model, view: View, start: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """Make every service at least as careful as those it shares a namespace or volumes with, or needs."""
    found = dict(start)
    while True:
        step = _follow_needs(model, _follow_peers(model, found))
        if step == found:
            return {name: _with_notes(model.services[name], verdict, found) for name, verdict in found.items()}
        found = step


def _follow_peers(model: Model, verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    found = dict(verdicts)
    for group in _groups(model, verdicts):
        leader = max(group, key=lambda name: _CARE[found[name].strategy])
        strategy = found[leader].strategy
        for name in group:
            if _CARE[found[name].strategy] < _CARE[strategy]:
                found[name] = Verdict(strategy, f"it shares a namespace or volumes with {leader}, which is {strategy}")
    return found


def _groups(model: Model, verdicts: Mapping[str, Verdict]) -> list[list[str]]:
    """Services joined by `network_mode`, `pid`, `ipc` or `volumes_from`; jobs join no group."""
    lasting = [n for n, v in verdicts.items() if v.strategy is not Strategy.JOB]
    group_of = {name: {name} for name in lasting}
    for name in lasting:
        for peer in peers(model.services[name]):
            if peer in group_of and group_of[peer] is not group_of[name]:
                merged = group_of[peer] | group_of[name]
                group_of.update(dict.fromkeys(merged, merged))
    unique = {id(group): sorted(group) for group in group_of.values() if len(group) > 1}
    return list(unique.values())


def _follow_needs(model: Model, verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """What needs a swapped service cannot be healthy before the swap; jobs pass this on and stay jobs."""
    found = dict(verdicts)
    cause = {name: name for name, verdict in found.items() if verdict.strategy is Strategy.RECREATE}
    while True:
        more = {
            name: cause[need]
            for name, service in model.services.items()
            if name not in cause and found[name].strategy in (Strategy.ROLLING, Strategy.JOB)
            for need in needed_names(service)
            if need in cause
        }
        if not more:
            return found
        cause |= more
        for name in more:
            if found[name].strategy is Strategy.ROLLING:
                found[name] = Verdict(Strategy.RECREATE, f"it depends on {cause[name]}, which is swapped at the switch")


def _with_notes(service: Service, verdict: Verdict, verdicts: Mapping[str, Verdict]) -> Verdict:
    if verdict.strategy is not Strategy.KEEP:
        return verdict
    later = [n for n in needed_names(service) if n in verdicts and verdicts[n].strategy is not Strategy.KEEP]
    waiting = [n for n in later if verdicts[n].strategy is not Strategy.JOB]
    if not waiting:
        return verdict
    return replace(verdict, reason=f"{verdict.reason}; it does not wait for {', '.join(waiting)}")


# --- refusals ---------------------------------------------------------------------------------------------------------


def _unknown_services(model: Model, wanted: Mapping[str, Strategy]) -> list[Detail]:
    return [
        Detail(
            "service_unknown",
            f"services.{name}",
            f"windlass.yaml gives a strategy to {name}, which is not a service of the Compose file",
            _nearest(name, model.services),
        )
        for name in wanted
        if name not in model.services
    ]


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else "take it out of windlass.yaml"


def _unsafe(
    model: Model,
    view: View,
    wanted: Mapping[str, Strategy],
    verdicts: Mapping[str, Verdict],
    settled: Mapping[str, Verdict],
) -> list[Detail]:
    found = []
    for name, strategy in wanted.items():
        if name not in model.services:
            continue
        why = _why_unsafe(model.services[name], view, strategy, verdicts[name], settled)
        if why:
            natural = verdicts[name].strategy
            fix = f"take services.{name}.strategy out of windlass.yaml (windlass would choose {natural})"
            message = f"`strategy: {strategy}` is not safe for {name}: {why}"
            found.append(Detail("strategy_unsafe", f"services.{name}.strategy", message, fix))
    return found


def _why_unsafe(
    service: Service, view: View, strategy: Strategy, natural: Verdict, settled: Mapping[str, Verdict]
) -> str:
    if strategy is Strategy.JOB:
        return _why_no_job(service, view)
    if is_waited_for_to_end(view.model, service.name):
        return "another service waits for its end"
    if strategy is Strategy.KEEP:
        return _why_not_kept(service, settled)
    if strategy is Strategy.ROLLING and natural.is_firm:
        return natural.reason
    if settled[service.name].strategy is not strategy:
        return settled[service.name].reason
    return ""


def _why_no_job(service: Service, view: View) -> str:
    if service.restart.partition(":")[0] in ("always", "unless-stopped"):
        return f"`restart: {service.restart}` says that it never ends"
    if any(port.published for port in service.ports):
        return "it publishes a port, so it never ends"
    if is_waited_for_to_be_healthy(view.model, service.name):
        return "other services wait for it to be healthy, not for its end"
    return "it is a store" if view.role(service.name) is Role.STORE else ""


def _why_not_kept(service: Service, settled: Mapping[str, Verdict]) -> str:
    """The base starts before the generation, so it cannot wait for what lives there."""
    for need in needed(service):
        other = settled.get(need.service)
        if other is None or not need.required or other.strategy in (Strategy.KEEP, Strategy.JOB):
            continue
        if need.condition is not Condition.STARTED or need.service in peers(service):
            return f"it needs {need.service}, which starts later, with the release"
    return ""


def _shared_volumes(view: View, settled: Mapping[str, Verdict]) -> list[Detail]:
    """Never two databases on one volume: not of two services, not of two replicas."""
    users: dict[str, list[str]] = {}
    for service in view.stores:
        if settled[service.name].strategy is Strategy.JOB:
            continue
        for source in dict.fromkeys(m.source for m in view.state(service) if not m.is_anonymous):
            users.setdefault(source, []).extend([service.name] * max(service.replicas, 1))
    return [_shared_volume(source, names) for source, names in users.items() if len(names) > 1]


def _shared_volume(source: str, names: list[str]) -> Detail:
    distinct = list(dict.fromkeys(names))
    who = " and ".join(distinct) if len(distinct) > 1 else f"{len(names)} replicas of {distinct[0]}"
    return Detail(
        "volume_shared_by_stores",
        f"services.{distinct[-1]}.volumes",
        f"{who} would write to the same place, {source}: two databases on one volume destroy it",
        "give each a volume of its own" if len(distinct) > 1 else "run one replica",
    )
