"""What the command line imports: little, because it is typed all day."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "alembic", "asyncio", "cryptography", "docker", "fastapi", "httpx2", "pydantic", "rich", "ruamel", "sqlalchemy",
    "starlette", "structlog", "subprocess", "tarfile", "uvicorn", "yaml",
}  # fmt: skip


@pytest.mark.parametrize("words", [("status", "shop"), ("apps", "--json"), ("logs", "shop"), ("--version",)])
def test_nothing_heavy_is_imported(words: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "windlass", *words]
    environment = {"WINDLASS_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stderr
    imported = {line.rpartition("|")[2].strip() for line in told.splitlines() if line.startswith("import time:")}
    assert "windlass.cli.app" in imported
    assert HEAVY & {name.partition(".")[0] for name in imported} == set()


def test_an_error_nobody_thought_of_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{")
    command = [sys.executable, "-m", "windlass", "status"]
    environment = {"WINDLASS_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("error: unexpected")
    assert "Traceback" not in result.stderr
