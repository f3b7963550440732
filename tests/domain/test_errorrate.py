"""When a new version counts as worse than the old one: at five in a hundred, not at one, not at the old one's rate."""

from __future__ import annotations

import pytest

from windlass.domain.errorrate import Counts, ErrorWatch, Tally, Verdict, is_worse, old_tallies, tally

FINE = Tally(1000)


def bad(requests: int, errors: int) -> Tally:
    return Tally(requests, {500: errors})


# The new version's answers, the old one's, in how many looks errors were new, the verdict.
CASES: list[tuple[str, Tally, Tally, int, bool]] = [
    ("nothing was asked", Tally(), FINE, 0, False),
    ("all is well", Tally(500), FINE, 0, False),
    ("one single error", bad(3, 1), FINE, 1, False),
    ("one error after the other, twice", bad(40, 2), FINE, 2, False),
    ("five in a hundred", bad(200, 10), FINE, 2, True),
    ("five in a hundred, slowly", bad(100, 5), FINE, 5, True),
    ("five in a hundred, nothing known of the old one", bad(350, 18), Tally(), 4, True),
    ("too little to be sure, nothing known of the old one", bad(40, 3), Tally(), 3, False),
    ("all in one moment", bad(200, 10), FINE, 1, False),
    ("everything fails", bad(20, 20), FINE, 2, True),
    ("as before", bad(1000, 50), bad(2000, 100), 10, False),
    ("as before, of which little is known", bad(1000, 50), bad(60, 3), 10, False),
    ("a little more than before", bad(1000, 60), bad(2000, 100), 10, False),
    ("twice as many as before", bad(1000, 100), bad(2000, 100), 10, True),
    ("one in a hundred", bad(3000, 30), FINE, 10, False),
    ("the old one failed always", bad(100, 100), bad(100, 100), 10, False),
    ("better than before", bad(200, 10), bad(100, 50), 5, False),
]


@pytest.mark.parametrize(("new", "old", "looks", "worse"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_verdicts(new: Tally, old: Tally, looks: int, worse: bool) -> None:
    assert is_worse(new, old, looks) is worse


COUNTS: Counts = {
    "shop-web-r1": {200: 900, 500: 100},
    "shop-web-r2": {200: 90, 404: 5, 500: 3, 502: 1},
    "shop-web-r2.once": {200: 5, 504: 1},
    "shop-web-r2.2": {200: 10},
    "shop-web-r22": {500: 1000},
    "shop-web_admin-r2": {500: 1000},
}


def test_a_service_is_counted_under_all_its_names() -> None:
    found = tally(COUNTS, "shop", "web", 2)
    assert (found.requests, found.errors, found.codes) == (115, 5, {500: 3, 502: 1, 504: 1})
    assert tally(COUNTS, "shop", "api", 2) == Tally()


def test_the_old_one_is_measured_by_what_it_did_lately() -> None:
    earlier: Counts = {"shop-web-r1": {200: 800, 500: 100}}
    assert old_tallies(COUNTS, earlier, "shop", ["web"], 1) == {"web": Tally(100, {})}
    assert old_tallies(COUNTS, {}, "shop", ["web"], 1)["web"].rate == 0.1
    nearly: Counts = {"shop-web-r1": {200: 880, 500: 100}}
    assert old_tallies(COUNTS, nearly, "shop", ["web"], 1)["web"].rate == 0.1
    restarted: Counts = {"shop-web-r1": {200: 5000, 500: 1}}
    assert old_tallies(COUNTS, restarted, "shop", ["web"], 1)["web"].rate == 0.1


def counts(requests: int, errors: int) -> Counts:
    return {"shop-web-r2": {200: requests - errors, 500: errors}}


def looks(*counted: tuple[int, int], old: Tally = FINE) -> list[Verdict | None]:
    watch = ErrorWatch("shop", 2, {"web": old})
    return [watch.look(counts(*one)) for one in counted]


def test_looks_are_measured_from_the_first() -> None:
    *before, verdict = looks((1000, 500), (1100, 505), (1200, 510))
    assert before == [None, None]
    assert verdict is not None
    assert (verdict.service, verdict.new) == ("web", Tally(200, {500: 10}))
    assert "web answered 10 of 200 requests with errors (5.0%: 10× 500); before it 0 of 1000 (0.0%)" in verdict.message
    assert verdict.as_dict()["codes"] == {"500": 10}
    assert (verdict.as_dict()["rate"], verdict.as_dict()["old_rate"]) == (0.05, 0.0)


def test_a_burst_that_ends_is_forgiven() -> None:
    assert looks((0, 0), (100, 4), (200, 4), (300, 4), (400, 4)) == [None] * 5


def test_an_edge_that_counts_anew_is_followed() -> None:
    assert looks((1000, 0), (1100, 0), (50, 0), (100, 0)) == [None] * 4
    assert looks((1000, 0), (0, 0), (100, 6), (200, 12))[-1] is not None
