"""The step that finds every reason why a release cannot work here, and what it found, told at the end of the build."""

from __future__ import annotations

from collections.abc import Iterable

from windlass.domain.checks import Finding, Status, found_ok, in_order, is_skipped, refused
from windlass.domain.errors import Refused, WindlassError
from windlass.domain.imagechecks import processor
from windlass.domain.records import StepRecord
from windlass.domain.release import image_tag
from windlass.usecases.assembling import build_release
from windlass.usecases.contracts import line_of_note
from windlass.usecases.imagequeries import architectures
from windlass.usecases.inspection import Inspection, begin_inspection, refuse_by
from windlass.usecases.preparation import Preparation
from windlass.usecases.scene import Wishes, look_around

_OF_IMAGES = ("images", "architecture")
_MAY_REFUSE = ("memory", "reachability")


def check_project(prep: Preparation, record: list[StepRecord]) -> None:
    """Refuses by what is found at once, then with everything; what takes time goes on beside the build."""
    project, options = prep.understood(), prep.deployment.options
    wishes = Wishes(
        pull=bool(options.get("pull")),
        rebuild=not options.get("skip_build"),
        skips=tuple(options.get("skip_checks") or ()),
    )
    inspection = begin_inspection(look_around(prep.work, project, prep.binds, wishes), prep.problems)
    prep.inspection = inspection
    if inspection.is_refused():
        _refuse(prep, inspection.findings())
    told = {line_of_note(detail) for detail in project.warnings}
    for note in project.notes:
        if note not in told:
            prep.journal.note("note", {"text": note})


def build_checked(prep: Preparation, record: list[StepRecord]) -> None:
    """Build, then collect what the checks found meanwhile. Nothing of the app has been touched yet."""
    inspection = prep.inspection
    if inspection is None:
        build_release(prep, record)
        return
    try:
        build_release(prep, record)
    except Refused as error:
        _refuse(prep, [*inspection.findings(), *(refused(detail) for detail in error.details)])
        raise
    except WindlassError:
        _tell(prep, inspection.findings())
        raise
    with prep.journal.part(record, "checks"):
        findings = _with_images(prep, inspection)
    _refuse(prep, findings)
    _tell(prep, findings)


def _with_images(prep: Preparation, inspection: Inspection) -> list[Finding]:
    """All images are here now, whatever the registries said; what they are made for is known of all of them.

    What can do no more than warn by now is not waited for.
    """
    found = [
        f for f in inspection.findings(hurry=_MAY_REFUSE) if f.check not in _OF_IMAGES or f.status is Status.SKIPPED
    ]
    scene, snapshot = inspection.scene, prep.snapshot
    if snapshot is None:
        return found
    images = {n: prep.work.outside.engine.image(image_tag(snapshot.app, n, snapshot.number)) for n in snapshot.parts}
    offered = {n: (facts.architecture,) for n, facts in images.items() if facts is not None}
    unfit = architectures(scene, scene.model.services.values(), offered)
    fit = found_ok("architecture", f"all images are made for {processor(scene.facts.architecture)}, as this machine is")
    lines = [found_ok("images", f"{len(offered)} are here"), *(unfit or [fit])]
    return in_order([*found, *(f for f in lines if not is_skipped(f.check, scene.skips))])


def _refuse(prep: Preparation, findings: Iterable[Finding]) -> None:
    found = list(findings)
    error = refuse_by(found)
    if error is not None:
        _tell(prep, found)
        raise error


def _tell(prep: Preparation, findings: Iterable[Finding]) -> None:
    """Once for a deployment."""
    items = [f.as_dict() for f in findings]
    prep.journal.note("checks", {"items": items})
