"""The contract of an app's variables: read from its project, kept with its deployments, checked before the next."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from windlass.domain.compose import Model
from windlass.domain.contract import Contract, Findings, check_contract, is_public_name, names_in_example, public_places
from windlass.domain.errors import Detail, Refused, refuse
from windlass.domain.manifest import Manifest
from windlass.domain.names import shown
from windlass.ports.outside import Outside
from windlass.ports.sources import ComposeSource

OPTION = "contract"
_EXAMPLES = (".env.example", ".env.sample", ".env.template", ".env.dist", "env.example", "example.env")
_KEPT: TypeAdapter[Contract] = TypeAdapter(Contract)


def learn_contract(outside: Outside, folder: Path, manifest: Manifest, source: ComposeSource) -> Contract:
    """From windlass.yaml, from the `${…}` of the Compose files and from `.env.example`."""
    uses = outside.compose.variables(source)
    examples = [outside.trees.read(folder / name) for name in _EXAMPLES]
    known = [names_in_example(text.decode("utf-8", "replace")) for text in examples if text]
    return Contract(
        rules=manifest.env,
        required=frozenset(u.name for u in uses if u.required),
        blankable=frozenset(u.name for u in uses if u.may_be_blank),
        blanks=frozenset(u.name for u in uses if not u.required and not u.default),
        known=frozenset(u.name for u in uses).union(*known),
        asked=frozenset(u.name for u in uses),
    )


def with_uses(contract: Contract, model: Model, values: Mapping[str, str], brought: Collection[str] = ()) -> Contract:
    """The contract with what only the resolved project tells: who uses a variable, and what ends in browsers.

    `brought`: variables that come with another tool's dialect.
    """
    used, places = {*contract.asked, *brought}, dict[str, str]()
    for service in model.services.values():
        arguments = _arguments(service.build)
        used |= {*service.environment, *arguments}
        for kind, given in (("the build argument", arguments), ("the environment", service.environment)):
            places |= {f"{kind} {n} of {service.name}": v for n, v in given.items() if is_public_name(n)}
    used |= {str(s["environment"]) for s in (*model.secrets.values(), *model.configs.values()) if s.get("environment")}
    return replace(contract, used=frozenset(used), public=public_places(places, values))


def _arguments(build: Mapping[str, Any] | None) -> dict[str, str]:
    found = (build or {}).get("args") or {}
    return {str(n): str(v) for n, v in found.items() if v is not None} if isinstance(found, Mapping) else {}


def with_contract(refused: Refused, found: Findings) -> Refused:
    """Compose's own reasons and the contract's as one refusal; what both say is said once, in the file's words."""
    ways_out = {d.name: d.fix for d in found.problems if d.code == "variable_required"}
    details = refused.details or (Detail(refused.code, "", refused.message, refused.hint),)
    own = [replace(d, fix=ways_out.get(d.name, d.fix)) for d in details]
    said = {d.name for d in own}
    more = [d for d in found.problems if d.code != "variable_required" or d.name not in said]
    return refuse([*own, *more], hint=refused.hint)


def told(found: Findings) -> Iterator[str]:
    """The notes as lines for a plan."""
    return (line_of_note(detail) for detail in found.notes)


def line_of_note(detail: Detail) -> str:
    return f"{detail.message}; {detail.fix}" if detail.fix else detail.message


def pack_contract(contract: Contract) -> Any:
    """For `Deployment.options`: no value is in it."""
    return _KEPT.dump_python(contract.kept(), mode="json", exclude_defaults=True)


def latest_contract(outside: Outside, app: str) -> Contract | None:
    """That of the newest deployment whose project could be read; None before the first."""
    for deployment in outside.store.deployments.of_app(app):
        if OPTION in deployment.options:
            return _KEPT.validate_python(deployment.options[OPTION])
    return None


def live_contract(outside: Outside, app: str) -> Contract | None:
    """That of the deployment that made the live release; None when nothing is live, or it was made before contracts."""
    live = outside.store.apps.get(app).live
    for deployment in outside.store.deployments.of_app(app, 1000):
        if deployment.release == live and deployment.kind == "deploy" and OPTION in deployment.options:
            return _KEPT.validate_python(deployment.options[OPTION])
    return None


def check_values(contract: Contract, values: Mapping[str, str], app: str) -> Findings:
    """`app` is its name in Docker's names."""
    return check_contract(contract, values, shown(app))
