"""What the store gives back of a plan is the plan that was kept."""

from __future__ import annotations

import pytest
from tests.usecases.test_crash_points import CASES, FRONT, crash

from windlass.domain.planner import Situation, plan_deployment
from windlass.usecases.observation import observe
from windlass.usecases.undertaking import load_kept


@pytest.mark.parametrize("name", CASES)
def test_a_kept_plan_is_read_as_it_was_written(name: str) -> None:
    """Some operations have the same fields and mean different things."""
    with crash(CASES[name]) as made:
        outside = made.world.outside
        new, old = (load_kept(outside, "shop", n).snapshot for n in (2, 1))
        plan = plan_deployment(Situation(new, old, observe(outside, "shop", new, old), front=FRONT))
        assert load_kept(outside, "shop", 2).plan == plan
