"""Commands that run to their end beside a deployment: what they are, when, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

APP_URL = "WINDLASS_APP_URL"
TITLE_LENGTH = 60


class Phase(StrEnum):
    """When a task runs."""

    CHECKLIST = "checklist"  # after the images are there; all that fail are told at once
    TEST = "test"  # after that, one after another
    RELEASE = "release"  # between the base and the start of the new version, once
    VERIFY = "verify"  # after the switch, beside the requests of `verify.steps`

    @property
    def is_isolated(self) -> bool:
        """Before anything is touched: on networks of its own alone, and without the app's data."""
        return self in (Phase.CHECKLIST, Phase.TEST)


@dataclass(frozen=True)
class Task:
    """`name`: the service that it runs as. `service`: whose definition and image it takes, or `image` alone.

    A Compose service with the label `windlass.job: release` is its own task: then `name` is `service`.
    """

    phase: Phase
    name: str
    title: str
    command: tuple[str, ...]
    service: str = ""
    image: str = ""
    within_s: float = 600.0

    @property
    def is_extra(self) -> bool:
        """Made for windlass.yaml: no service of the Compose file."""
        return self.name != self.service

    @property
    def words(self) -> str:
        """The command as a person reads it."""
        return " ".join(self.command)

    @property
    def where(self) -> str:
        """In whose image it runs."""
        return self.service or self.image


def task_name(phase: Phase, index: int) -> str:
    """The service of a command by its place in windlass.yaml, from 0."""
    return f"windlass-{phase}-{index + 1}"


def task_title(phase: Phase, command: tuple[str, ...]) -> str:
    words = " ".join(" ".join(command).split())
    return f"{phase}: {words if len(words) <= TITLE_LENGTH else words[: TITLE_LENGTH - 1] + '…'}"
