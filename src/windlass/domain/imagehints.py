"""What an image says about itself, as far as decisions need it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageHints:
    """`ports`: TCP ports of EXPOSE; `volumes`: paths of VOLUME; `healthcheck` as in the image, ("CMD", …) and so on."""

    ports: tuple[int, ...] = ()
    volumes: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()
    healthcheck_start_s: float = 0.0
    healthcheck_timeout_s: float = 30.0

    @property
    def has_healthcheck(self) -> bool:
        return bool(self.healthcheck) and self.healthcheck[0] != "NONE"


NO_HINTS = ImageHints()
