"""One bench for a whole file: a world is dear, and no hostile word may change it for the next."""

from collections.abc import Iterator

import pytest
from tests.hostile.bench import STRANGE, Bench, bench_in


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in STRANGE.items():
            patch.setenv(name, value)
        with bench_in(folder) as made:
            made.world.deploy()
            yield made
