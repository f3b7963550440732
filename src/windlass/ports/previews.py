"""Where it is remembered which apps have previews, and which requests are known."""

from __future__ import annotations

from typing import Protocol

from windlass.domain.previews import Preview, PreviewRules


class Previews(Protocol):
    def rules(self, app: str) -> PreviewRules | None:
        """None: the app has no previews."""
        ...

    def set_rules(self, rules: PreviewRules) -> None:
        """Raises NotFound when there is no such app."""
        ...

    def drop_rules(self, app: str) -> None: ...
    def find(self, app: str) -> Preview | None:
        """By the preview's own name in the store."""
        ...

    def of(self, base: str) -> list[Preview]:
        """By number."""
        ...

    def keep(self, preview: Preview, most: int) -> bool:
        """As it is now; False, and nothing is kept, when `most` others of the app are in this state already."""
        ...

    def end(self, app: str, until: float) -> Preview | None:
        """Its time is over then. None when it is not known."""
        ...

    def forget(self, preview: Preview) -> None:
        """Unless its time was prolonged meanwhile."""
        ...
