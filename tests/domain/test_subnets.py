"""Addresses for networks."""

from __future__ import annotations

import pytest

from windlass.domain.errors import Failed
from windlass.domain.subnets import count_free, fixed_address, free_subnet, prefix_for, upper_half


@pytest.mark.parametrize(("size", "prefix"), [(1, 28), (13, 28), (14, 27), (29, 27), (61, 26), (62, 25)])
def test_prefix_holds_the_containers(size: int, prefix: int) -> None:
    assert prefix_for(size, 16) == prefix


def test_subnets_do_not_overlap_what_is_taken() -> None:
    taken = ["10.0.0.0/28", "10.0.0.32/27", "fd00::/64"]
    assert free_subnet("10.0.0.0/24", 10, taken) == "10.0.0.16/28"
    assert free_subnet("10.0.0.0/24", 25, taken) == "10.0.0.64/27"


def test_full_pool_says_what_to_do() -> None:
    with pytest.raises(Failed) as raised:
        free_subnet("10.0.0.0/28", 10, ["10.0.0.0/8"])
    assert raised.value.code == "address_pool_full"
    assert "--pool" in raised.value.hint


def test_sixty_apps_fit_the_default_pool() -> None:
    taken: list[str] = []
    for _ in range(60 * 4):
        taken.append(free_subnet("10.213.0.0/16", 30, taken))
    assert len(set(taken)) == 240


def test_fixed_addresses_and_the_engines_own_do_not_meet() -> None:
    subnet = free_subnet("10.0.0.0/24", 20, [])
    assert [fixed_address(subnet, i) for i in (0, 1)] == ["10.0.0.2", "10.0.0.3"]
    assert upper_half(subnet) == "10.0.0.16/28"


@pytest.mark.parametrize(
    ("pool", "prefix", "taken", "free"),
    [
        ("10.0.0.0/24", 28, [], 16),
        ("10.0.0.0/24", 28, ["10.0.0.0/28", "10.0.0.16/28"], 14),
        ("10.0.0.0/24", 26, ["10.0.0.0/28", "10.0.0.16/28", "10.0.0.64/26"], 2),
        ("10.0.0.0/24", 28, ["10.0.0.0/25", "10.0.0.16/28", "192.168.0.0/16", "fd00::/64"], 8),
        ("10.0.0.0/24", 28, ["10.0.0.0/8"], 0),
        ("10.0.0.0/8", 28, ["10.0.0.0/9", "10.0.0.0/28"], 1 << 19),
        ("10.0.0.0/30", 28, [], 1),
    ],
)
def test_networks_left_in_the_pool(pool: str, prefix: int, taken: list[str], free: int) -> None:
    assert count_free(pool, prefix, taken) == free
