"""Room for two versions side by side: what is fine, tight and impossible."""

from __future__ import annotations

from typing import Any

import pytest

from windlass.domain.capacity import (
    GIB,
    Memory,
    Place,
    images_size,
    judge_disk,
    judge_inodes,
    judge_memory,
    judge_pool,
    network_sizes,
)
from windlass.domain.checks import Status
from windlass.domain.compose import Model
from windlass.domain.modelreader import read_model
from windlass.domain.placement import place
from windlass.domain.release import Placement

MIB = 1 << 20


def project(**services: dict[str, Any]) -> tuple[Model, dict[str, Placement]]:
    model = read_model({"services": services, "networks": {"default": {"name": "shop_default"}}})
    return model, {p.service: p for p in place(model, {}, {}).placements}


def limited(size: str, **more: Any) -> dict[str, Any]:
    return {"build": {"context": "."}, "expose": ["8000"], "mem_limit": size, **more}


@pytest.mark.parametrize(
    ("free", "need", "status", "words"),
    [
        (100 * GIB, GIB, Status.OK, "100GiB free where the engine keeps its files; about 1GiB needed"),
        (100 * GIB, 0, Status.OK, "100GiB free"),
        (
            3 * GIB,
            2 * GIB,
            Status.WARNING,
            "3GiB are free where the engine keeps its files, and the new images may take",
        ),
        (GIB, 0, Status.WARNING, "1GiB"),
        (MIB, 0, Status.REFUSED, "only 1MiB"),
        (-1, 0, Status.OK, ""),
    ],
)
def test_disk(free: int, need: int, status: Status, words: str) -> None:
    [found] = judge_disk([Place("the engine", "/var/lib/docker", free)], need)
    assert (found.status, found.check) == (status, "disk")
    assert words in found.message
    assert (found.fix != "") == (status is not Status.OK)


@pytest.mark.parametrize(
    ("inodes", "status"),
    [(1_000_000, Status.OK), (None, Status.OK), (20_000, Status.WARNING), (100, Status.REFUSED)],
)
def test_inodes(inodes: int | None, status: Status) -> None:
    [found] = judge_inodes([Place("windlass", "/w", GIB, inodes)])
    assert (found.status, found.check) == (status, "inodes")


def test_what_is_built_again_takes_what_the_live_one_takes() -> None:
    model, _ = project(web=limited("1g"), api=limited("1g"), db={"image": "postgres:16"})
    assert images_size(model, {"web": 300, "db": 5000}) == 300


SERVER = {"web": limited("512m"), "db": {"image": "postgres:16", "mem_limit": "4g"}}
MEMORY = {  # services, used by the live ones, available, swap -> status, words
    "enough": (SERVER, {"web": 200 * MIB, "db": GIB}, GIB, 0, Status.OK, "may use 512MiB"),
    "first": (SERVER, None, 8 * GIB, 0, Status.OK, "4.5GiB"),
    "first is too large": (SERVER, None, 4 * GIB, 0, Status.WARNING, "may use 4.5GiB"),
    "limits are more than there is": (SERVER, {"web": 10 * MIB}, 400 * MIB, 0, Status.WARNING, "may use 512MiB"),
    "the same again does not fit": (SERVER, {"web": 500 * MIB}, 400 * MIB, 0, Status.REFUSED, "needs about 500MiB"),
    "it fits with swap": (SERVER, {"web": 500 * MIB}, 400 * MIB, GIB, Status.WARNING, "512MiB"),
    "the base is not counted twice": (SERVER, {"web": MIB, "db": 3 * GIB}, GIB, 0, Status.OK, "1MiB"),
    "nothing is left": ({"web": {"image": "x"}}, {}, 10 * MIB, 0, Status.REFUSED, "cannot be started"),
    "little is left": ({"web": {"image": "x"}}, {}, 100 * MIB, 0, Status.WARNING, "only 100MiB"),
    "not known": ({"web": {"image": "x"}}, {}, GIB, 0, Status.OK, "not known"),
    "replicas": ({"web": limited("512m", scale=3)}, {}, GIB, 0, Status.WARNING, "1.5GiB"),
    "by deploy": (
        {"web": {**limited(""), "deploy": {"resources": {"limits": {"memory": "2147483648"}}}}},
        {}, GIB, 0, Status.WARNING, "2GiB",
    ),
    "reserved": (
        {"web": {**limited(""), "deploy": {"resources": {"reservations": {"memory": "64g"}}}}},
        None, 16 * GIB, 0, Status.REFUSED, "reserve 64GiB",
    ),
    "one writer is swapped": (
        {"web": limited("3g", deploy={"update_config": {"order": "stop-first"}})},
        {"web": 2 * GIB}, GIB, 0, Status.OK, "1GiB available",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MEMORY)
def test_memory(name: str) -> None:
    services, used, available, swap, status, words = MEMORY[name]
    model, placements = project(**services)
    [found] = judge_memory(model, placements, used, Memory(available, swap, 32 * GIB))
    assert (found.status, found.check) == (status, "memory"), found
    assert words in found.message


@pytest.mark.parametrize(
    ("sizes", "taken", "status"),
    [
        ([10, 10], [], Status.OK),
        ([10, 10], ["10.0.0.0/25"], Status.WARNING),
        ([10, 10], ["10.0.0.0/25", "10.0.0.128/26", "10.0.0.192/27", "10.0.0.224/28"], Status.REFUSED),
        ([60], ["10.0.0.0/27", "10.0.0.64/27", "10.0.0.128/27", "10.0.0.192/27"], Status.REFUSED),
        ([], ["10.0.0.0/24"], Status.WARNING),
    ],
)
def test_address_pool(sizes: list[int], taken: list[str], status: Status) -> None:
    pool = "10.0.0.0/23" if status is Status.OK else "10.0.0.0/24"
    found = judge_pool(pool, sizes, taken)
    assert (found.status, found.check) == (status, "address-pool"), found
    assert f"{len(sizes)} needed" in found.message or f"{len(sizes)} networks are needed" in found.message


def test_networks_of_a_deployment() -> None:
    web = {"build": {"context": "."}, "expose": ["80"], "networks": {"default": None}}
    db = {"image": "postgres:16", "networks": {"default": None}}
    model, placements = project(web=web, db=db)
    assert network_sizes(model, placements, (), "shop") == [10, 12]
    assert network_sizes(model, placements, ("shop_default",), "shop") == [10]
