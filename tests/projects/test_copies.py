"""The copies of server.py and resp.py in the test projects are the same."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", ["server.py", "resp.py"])
def test_copies_are_the_same(name: str) -> None:
    copies = sorted(HERE.glob(f"*/{name}"))
    assert copies
    assert len({copy.read_bytes() for copy in copies}) == 1, f"these differ: {copies}"
