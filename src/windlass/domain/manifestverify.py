"""`verify` in windlass.yaml: how long the new version is watched, and the steps that it has to pass."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from windlass.domain.manifestvalues import Argv, FilePart, Seconds


class Expectation(FilePart):
    status: int | None = Field(None, ge=100, le=599)
    json_: Any = Field(None, alias="json", description="A subset that the answer must contain.")


class VerifyStep(FilePart):
    """A request (`get`), or a command (`run`) in a service's or image's container."""

    get: str = Field("", pattern="^(/.*)?$")
    expect: Expectation | None = None
    run: Argv | None = None
    service: str = ""
    image: str = ""
    within: Seconds = 300.0

    @model_validator(mode="after")
    def _is_one_kind(self) -> VerifyStep:
        if bool(self.get) == bool(self.run):
            raise ValueError("must say one of get and run")
        if self.run and bool(self.service) == bool(self.image):
            raise ValueError("`run` needs one of service and image")
        return self


class Verify(FilePart):
    bake: Seconds = Field(10.0, description="How long the new version is watched while the old one is still warm.")
    steps: tuple[VerifyStep, ...] = ()
