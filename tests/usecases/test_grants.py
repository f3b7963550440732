"""Which secrets and configs cannot reach a container, told before anything is touched."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from windlass.domain.compose import Grant, Model, Mount, Service
from windlass.domain.errors import Refused
from windlass.usecases.grants import deliveries

OUTSIDE = cast(Any, SimpleNamespace())


def given(target: str, mounts: tuple[Mount, ...] = (), read_only: bool = True) -> Model:
    grant = Grant("secret", "key", target)
    service = Service("web", grants=(grant,), mounts=mounts, raw={"read_only": read_only})
    return Model({"web": service}, secrets={"key": {"environment": "KEY"}})


@pytest.mark.parametrize(
    "model",
    [
        given("/run/secrets/key", read_only=False),
        given("/data/key", (Mount("volume", "data", "/data"),)),
    ],
)
def test_a_file_is_handed_over_where_it_can_be_written(model: Model) -> None:
    assert [d.target for d in deliveries(OUTSIDE, model, {"KEY": "x"})["web"]] == [
        model.services["web"].grants[0].target
    ]


@pytest.mark.parametrize(
    "mounts",
    [
        (),
        (Mount("tmpfs", "", "/run/secrets"),),
        (Mount("volume", "v", "/run/secrets", read_only=True),),
        (Mount("volume", "v", "/run/secret"),),
    ],
)
def test_a_read_only_container_takes_none_elsewhere(mounts: tuple[Mount, ...]) -> None:
    with pytest.raises(Refused) as refused:
        deliveries(OUTSIDE, given("/run/secrets/key", mounts), {"KEY": "x"})
    assert [(d.code, d.name) for d in refused.value.details] == [("read_only_container", "services.web.read_only")]
