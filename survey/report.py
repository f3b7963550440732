"""The outcomes as counts: for the terminal, and as the page docs/survey.md."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from survey.examine import Ending, Outcome

_SHOWN_CODES = 25

_HEAD = """# Survey

Written by `python -m survey FOLDER --output docs/survey.md`. Each entry of the folder is a public collection; of each,
every Compose file is laid out as a project of its own, Compose itself is asked whether it takes the file, and windlass
plans it as `windlass plan` does. Nothing is pulled and nothing is started: no image is known, so services are placed by
what the file alone says, with the more careful choice where it says nothing.

What a public file leaves out is made up and does not count against it: values for variables that must have one (for all
without a default where Compose would otherwise refuse what becomes blank), empty files for `env_file`, a word for files
of secrets and configs. What is about the machine (ports, networks and volumes that must exist, disk) is not looked at.

A plan is *complete* when every service is placed with a reason, every route is resolved or asked for by name, and every
refusal names its place and the next step. It *waits for the operator* when something needs a consent, a value or an
answer first.
"""


def summary(outcomes: Sequence[Outcome]) -> str:
    """The counts as a page."""
    accepted = [o for o in outcomes if not o.rejected]
    lines = [_HEAD, f"Date: {time.strftime('%Y-%m-%d')}. Projects: {len(outcomes)}.", ""]
    lines += ["## Collections", "", *_collections(outcomes), ""]
    lines += [*_templates(outcomes), ""]
    lines += ["## What came of those that Compose accepts", "", *_endings(accepted), ""]
    lines += ["## Why plans wait for the operator", "", *_reasons(accepted, Ending.ASKS), ""]
    lines += ["## Why there is no plan", "", *_reasons(accepted, Ending.REFUSED, Ending.FAILED), ""]
    lines += ["## Where services go", "", *_strategies(accepted), ""]
    rejected = [o for o in outcomes if o.rejected]
    lines += ["## Files that Compose does not accept", "", *_rejected(rejected)]
    return "\n".join(lines) + "\n"


def _collections(outcomes: Sequence[Outcome]) -> Iterable[str]:
    yield "| collection | files | accepted by Compose | of these, complete plans | complete plans of all files |"
    yield "|---|---|---|---|---|"
    names = sorted({o.collection for o in outcomes}, key=str.lower)
    for name in (*names, ""):
        chosen = [o for o in outcomes if not name or o.collection == name]
        taken = [o for o in chosen if not o.rejected]
        complete, whole = (sum(o.is_complete for o in group) for group in (taken, chosen))
        shares = f"{_share(complete, len(taken))} | {_share(whole, len(chosen))}"
        yield f"| {name or '**all**'} | {len(chosen)} | {len(taken)} | {shares} |"


def _templates(outcomes: Sequence[Outcome]) -> Iterable[str]:
    """Coolify's folder templates/compose alone: its words are not Compose's."""
    chosen = [o for o in outcomes if o.is_template]
    if chosen:
        complete = _share(sum(o.is_complete for o in chosen), len(chosen))
        free = _share(sum(o.ending is Ending.PLANNED for o in chosen), len(chosen))
        taken = sum(not o.rejected for o in chosen)
        yield (
            f"Coolify's templates (`templates/compose`): {len(chosen)}, of which Compose accepts {taken};"
            f" complete plans: {complete}; with nothing in the way: {free}."
        )


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if whole else "–"


def _endings(outcomes: Sequence[Outcome]) -> Iterable[str]:
    yield "| outcome | projects |"
    yield "|---|---|"
    counts = Counter(o.ending for o in outcomes)
    yield from (f"| {ending.value} | {_share(counts[ending], len(outcomes))} |" for ending in Ending)
    open_ = sum(bool(o.open_routes) for o in outcomes if o.is_complete)
    yield f"| … with a route that the image may tell, else is asked for by name | {open_} |"
    yield f"| … with files made up | {sum(bool(o.stubs) for o in outcomes)} |"


def _reasons(outcomes: Sequence[Outcome], *endings: Ending) -> Iterable[str]:
    chosen = [o for o in outcomes if o.ending in endings]
    if not chosen:
        yield "None."
        return
    yield "| reason | projects |"
    yield "|---|---|"
    counts = Counter(code for o in chosen for code in o.reasons)
    yield from (f"| {code} | {count} |" for code, count in counts.most_common(_SHOWN_CODES))


def _strategies(outcomes: Sequence[Outcome]) -> Iterable[str]:
    yield "| strategy | services |"
    yield "|---|---|"
    counts: Counter[str] = Counter()
    for outcome in outcomes:
        counts.update(outcome.strategies)
    whole = sum(counts.values())
    yield from (f"| {strategy} | {_share(count, whole)} |" for strategy, count in counts.most_common())


def _rejected(outcomes: Sequence[Outcome]) -> Iterable[str]:
    """windlass may take them all the same: other tools' dialects."""
    yield "| what Compose says | files | complete plans all the same |"
    yield "|---|---|---|"
    counts = Counter(o.rejected for o in outcomes)
    for code, count in counts.most_common():
        complete = sum(o.is_complete for o in outcomes if o.rejected == code)
        yield f"| {code} | {count} | {complete} |"
