"""Words of `windlass deploy` that leave something out or override it: kept with the deployment, and told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.domain.errors import Detail
from windlass.domain.manifest import FILE, Manifest
from windlass.domain.tasks import Phase, Task

FLAGS = ("force", "skip_tests", "skip_verify", "skip_build", "no_backup")
DIRTY = "the folder is a Git checkout with changes that are not committed"
_TOLD = {
    "skip_tests": "--skip-tests: the commands of `test` are not run",
    "skip_verify": "--skip-verify: the new version is neither watched nor asked anything after the switch",
    "skip_build": "--skip-build: nothing is built, the images of the live release are used again",
    "no_backup": "--no-backup: written down; this version of windlass makes no backup before a release",
}


def flags_of(options: Mapping[str, Any]) -> list[str]:
    """Those given, as they are written."""
    checks = [f"--skip-check {name}" for name in options.get("skip_checks") or ()]
    return [*("--" + name.replace("_", "-") for name in FLAGS if options.get(name)), *checks]


def is_skipped(task: Task, options: Mapping[str, Any]) -> bool:
    """Whether it was asked for that this command is left out."""
    if task.phase is Phase.CHECKLIST:
        return task.title in (options.get("skip_checks") or ())
    flag = {Phase.TEST: "skip_tests", Phase.VERIFY: "skip_verify"}.get(task.phase, "")
    return bool(options.get(flag))


def told_flags(options: Mapping[str, Any]) -> list[str]:
    """What they, and a dirty tree, mean for this deployment."""
    notes = [words for name, words in _TOLD.items() if options.get(name)]
    checks = [str(name) for name in options.get("skip_checks") or () if str(name).startswith(f"{Phase.CHECKLIST}:")]
    notes += [f"--skip-check {name}: it is not run" for name in checks]
    return [*notes, *([DIRTY] if options.get("dirty") else [])]


def dirty_problems(manifest: Manifest, options: Mapping[str, Any]) -> list[Detail]:
    """`clean: true` wants a checkout as it was committed, unless it is overridden."""
    if not manifest.clean or not options.get("dirty") or options.get("force"):
        return []
    message = f"{DIRTY}, and {FILE} says `clean: true`"
    return [Detail("tree_dirty", "clean", message, "commit them, or deploy all the same: windlass deploy --force")]
