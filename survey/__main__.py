"""Plans every Compose file below a folder of collections and prints what came of it, counted by reason."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from survey.collect import Item, find_items
from survey.examine import Outcome, examine
from survey.report import summary
from survey.world import temporary_world

_BATCH = 25


def main(argv: list[str]) -> int:
    """The command line; 1 when a project that Compose accepts has no complete plan."""
    parser = argparse.ArgumentParser(prog="python -m survey", description=__doc__)
    parser.add_argument("folder", type=Path, help="its entries are collections: owner__name, or any other name")
    parser.add_argument("--json", action="store_true", help="every outcome instead of the counts")
    parser.add_argument("--output", type=Path, help="write the counts there as well")
    parser.add_argument("--only", default="", metavar="WORD", help="collections with this in their name")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args(argv)
    items = [item for item in find_items(options.folder.resolve()) if options.only in item.collection]
    outcomes = list(_examined(items, options.jobs))
    page = summary(outcomes)
    print(json.dumps([asdict(outcome) for outcome in outcomes], indent=1) if options.json else page)
    if options.output:
        options.output.write_text(page)
    return 0 if all(outcome.is_complete for outcome in outcomes if not outcome.rejected) else 1


def _examined(items: list[Item], jobs: int) -> Iterator[Outcome]:
    batches = [items[at : at + _BATCH] for at in range(0, len(items), _BATCH)]
    done = 0
    for outcomes in _in_turn(batches, jobs):
        done += len(outcomes)
        print(f"{done} of {len(items)}", file=sys.stderr, flush=True)
        yield from outcomes


def _in_turn(batches: list[list[Item]], jobs: int) -> Iterator[list[Outcome]]:
    if jobs == 1:
        yield from map(_batch, batches)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(_batch, batches)


def _batch(items: list[Item]) -> list[Outcome]:
    with temporary_world() as (outside, home):
        return [examine(outside, home, item) for item in items]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
