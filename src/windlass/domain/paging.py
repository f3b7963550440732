"""Long lists in pages: each tells where the next one begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from windlass.domain.errors import Usage

LARGEST = 1000
LONGEST_CURSOR = 200

ItemT = TypeVar("ItemT")


@dataclass(frozen=True)
class Page:
    """At most `limit` items, from after the one that `cursor` names; "" from the beginning."""

    limit: int = LARGEST
    cursor: str = ""

    @property
    def number(self) -> int | None:
        """Of a list that is counted. Raises Usage for what is no number."""
        if not self.cursor:
            return None
        if not (self.cursor.isascii() and self.cursor.isdigit() and len(self.cursor) < 19):
            raise wrong_cursor()
        return int(self.cursor)


WHOLE = Page()


def cut(items: Sequence[ItemT], page: Page, name: Callable[[ItemT], str]) -> tuple[list[ItemT], str | None]:
    """One page of the list in the order of names, and the cursor of the next one; None at the end."""
    ordered = sorted(items, key=name)
    after = [item for item in ordered if name(item) > page.cursor] if page.cursor else ordered
    shown = after[: page.limit]
    return shown, name(shown[-1]) if len(after) > len(shown) else None


def cut_numbered(items: Sequence[ItemT], page: Page, number: Callable[[ItemT], int]) -> tuple[list[ItemT], str | None]:
    """The same of a list with the highest number first."""
    before = page.number
    after = list(items) if before is None else [item for item in items if number(item) < before]
    shown = after[: page.limit]
    return shown, str(number(shown[-1])) if len(after) > len(shown) else None


def wrong_cursor() -> Usage:
    return Usage(
        "the cursor is not one that a page named", code="cursor_invalid", hint="give `next` of the page before"
    )
