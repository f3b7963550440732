"""The bodies of requests: filled in by the command line, checked by the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar


class Body:
    """A request body: unknown fields are errors."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        """JSON can write halves of characters that are no text: no file, database or process takes them."""
        for value in vars(self).values():
            _check_text(value)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload,no-any-return]


def _check_text(value: Any) -> None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("is not valid text") from None
    elif isinstance(value, list):
        for part in value:
            _check_text(part)
    elif isinstance(value, dict):
        for part in (*value, *value.values()):
            _check_text(part)


@dataclass(frozen=True)
class DeployBody(Body):
    """What to deploy. `source_kind`: "upload", "git", "image" (its name in `url`), or "source": the app's own.

    `values` and the dotenv text `env` belong to this release.

    `skip_checks`: names of checks that are not to be made this time.
    """

    source_kind: str = "upload"
    url: str = ""
    ref: str = ""
    commit: str = ""
    compose: list[str] = field(default_factory=list)
    profiles: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    env: list[str] = field(default_factory=list)
    pull: bool = False
    force: bool = False
    yes: bool = False
    dirty: bool = False
    skip_tests: bool = False
    skip_verify: bool = False
    skip_build: bool = False
    no_backup: bool = False
    skip_checks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SourceBody(Body):
    """Where an app comes from. With `url` all of it is new; without one, null is as before, or as production has it.

    `key`: a private key, or `generate`. `poll`: seconds, 0 for never. `status`: github, gitlab or gitea, where the end
    of a deployment is told. A list of one empty word is an empty list.
    """

    url: str = ""
    branch: str | None = None
    path: str | None = None
    compose: list[str] | None = None
    watch: list[str] | None = None
    submodules: bool | None = None
    lfs: bool | None = None
    poll: float | None = None
    user: str = ""
    token: str = ""
    key: str = ""
    public: bool = False
    status: str | None = None
    status_token: str = ""


@dataclass(frozen=True)
class HookBody(Body):
    """`reveal`: answer with the secret. `renew`: make a new one."""

    reveal: bool = False
    renew: bool = False


@dataclass(frozen=True)
class PreviewsBody(Body):
    """What is left out is as it was. `keep`: seconds after the last push. `memory` in bytes, of each container."""

    limit: int | None = None
    keep: float | None = None
    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None


@dataclass(frozen=True)
class RollbackBody(Body):
    """`to`: number of the release; left out: the one that was live before.

    `without_approval`: do not wait for a second person, which is an owner's right in an emergency.
    """

    to: int | None = None
    without_approval: bool = False


@dataclass(frozen=True)
class ServiceBody(Body):
    """`service` left out: all of them."""

    service: str | None = None


@dataclass(frozen=True)
class ScaleBody(Body):
    service: str
    replicas: int


@dataclass(frozen=True)
class MaintenanceBody(Body):
    """`allowed`: addresses and networks that get through while the app is closed."""

    closed: bool
    allowed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ExecBody(Body):
    service: str
    command: list[str]


@dataclass(frozen=True)
class ValuesBody(Body):
    values: dict[str, str]


@dataclass(frozen=True)
class NamesBody(Body):
    names: list[str]


@dataclass(frozen=True)
class ImportBody(Body):
    """`text`: the content of a dotenv file."""

    text: str


@dataclass(frozen=True)
class ItemsBody(Body):
    items: list[str]
