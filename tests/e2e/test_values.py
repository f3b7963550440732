"""Any UTF-8 value survives byte for byte: set or imported, through Compose, into the process of a real container."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.e2e.projects import write
from tests.e2e.station import Station

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

COUNT = 60  # values of one example: they travel together
SERVE = "import os, http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8000)"

awkward = st.text(st.sampled_from("$\\\"'{}#` \t\n\r=:;&|%!~*?[]()<>@,\x01\x7f\x85\u2028\ufeffaAé漢😀"), max_size=40)
anything = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=80)
values = st.lists(st.one_of(awkward, anything, st.just("x" * 5000)), min_size=COUNT, max_size=COUNT)
TRAPS = [
    "", " ", "\n", "\r\n", "a\r\nb\r\n", "$", "$$", "$$$$", "${A}", "${A:?no}", "$(id)", "`id`", "\\", "\\\\", "\\n",
    '"', "'", "\"'\"", "a#b", "#", " #c", "{}", "{{ .Names }}", "%s%d", "\ufeff", "\u2028", "null", "~", "yes", "0x1F",
]  # fmt: skip


@pytest.fixture(scope="module")
def app(shared: Station) -> str:
    """One service, to which every variable is handed."""
    name = shared.app("bytes")
    environment = "".join(f"      V{n}: ${{V{n}}}\n" for n in range(COUNT))
    runs = f"    image: python:3-slim\n    command: [python, -c, '{SERVE}']\n    stop_signal: SIGKILL\n"
    web = f"{runs}    expose: ['8000']\n"
    compose = f"services:\n  web:\n{web}    environment:\n{environment}"
    write(shared.folder / name, {"compose.yaml": compose, "windlass.yaml": "verify: {bake: 0s}\n"})
    return name


def in_process(station: Station, app: str) -> dict[str, bytes]:
    """The variables of the container's first process, as the kernel has them."""
    (container,) = station.serving(app, "web")
    block = Path(f"/proc/{container.attrs['State']['Pid']}/environ").read_bytes()
    entries = (entry.partition(b"=") for entry in block.split(b"\0"))
    return {name.decode(): value for name, _, value in entries if name.startswith(b"V")}


def dotenv(found: dict[str, str]) -> str:
    """In double quotes, with what means something there written as it is to be."""
    escapes = str.maketrans({"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r"})
    return "".join(f'{name}="{value.translate(escapes)}"\n' for name, value in found.items())


@settings(
    max_examples=3,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(values)
@example((TRAPS * 2)[:COUNT])
def test_byte_for_byte(shared: Station, app: str, found: list[str]) -> None:
    """Half of them is set, half imported from a file."""
    wanted = {f"V{n}": value for n, value in enumerate(found)}
    first, second = (dict(list(wanted.items())[half::2]) for half in (0, 1))
    shared.ok("env", "set", app, *(f"{name}={value}" for name, value in first.items()))
    shared.ok("env", "import", app, stdin=dotenv(second))
    shared.ok("deploy", shared.folder / app, "--app", app)
    there = in_process(shared, app)
    differing = [n for n, value in wanted.items() if there.get(n) != value.encode()]
    assert {n: (wanted[n], there.get(n)) for n in differing} == {}
    revealed = {i["name"]: i["value"] for i in shared.ok("env", "list", app, "--reveal")["items"]}
    assert revealed == wanted
