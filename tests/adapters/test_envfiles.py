"""`env import` and the folder's `.env` are read as Compose reads them: the same text, the same values."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from windlass.adapters.compose import ComposeProgram, find_program
from windlass.adapters.composeenv import unescape
from windlass.domain.errors import Refused

COMPOSE = ComposeProgram("unix:///nowhere.sock")

# What stands in the file, by what it is about.
FILES = {
    "plain": "A=1\nB=two words\nC=\nD=a=b=c\n",
    "spaces around": "A = 1\nB=  led\nC=trailed   \n  D=indented\nE\t=\ttabs\t\n",
    "double quotes": 'A="one two"\nB=""\nC="  kept  "\nD="say \\"hi\\""\nE="it\'s"\n',
    "single quotes": "A='one two'\nB=''\nC='  kept  '\nD='say \"hi\"'\nE='no $A ${A} \\n'\n",
    "quote inside": "A=it's\nB=5\"\nC=a'b'c\n",
    "escapes in double quotes": 'A="a\\nb\\tc\\rd"\nB="back\\\\slash"\nC="\\$A"\nD="a\\u00e9"\nE="\\x"\nF="\\a\\b"\n',
    "escapes elsewhere": "A=a\\nb\nB='a\\nb'\nC=c\\\\d\nD=\\$X\nE=end\\\n",
    "interpolation": "A=1\nB=$A\nC=${A}\nD=pre${A}post\nE=\"$A and ${A}\"\nF='$A'\nG=$A$A\n",
    "defaults": 'A=\nB=${A:-empty}\nC=${A-set}\nD=${NO:-missing}\nE=${NO-missing}\nF=${NO:-${N:-in}}\nG="${NO:-a b}"\n',
    "alternatives": "A=1\nB=${A:+yes}\nC=${NO:+yes}\nD=${A+yes}\n",
    "dollars": "A=$$\nB=a$$b\nC=\"$$A\"\nD='$$'\nE=5$\nF=$5\nG=a$ b\n",
    "what is not set": "A=$NOT_SET\nB=x${NOT_SET}y\n",
    "later wins": "A=1\nB=$A\nA=2\nC=$A\n",
    "not yet there": "A=$B\nB=1\n",
    "export": 'export A=1\nexport B="two words"\nexport   C=3\nexported=4\n',
    "comments": "# A=0\nA=1 # note\nB=1# kept\nC='#' # note\nD=\"# in\" # note\nE=# none\nF=a #b #c\n   # indented\n",
    "colon": "A: 1\nB: 'two words'\nC:3\n",
    "without a value": "A\nB=1\n",
    "lines in double quotes": 'A="one\ntwo\n  three"\nB=1\n',
    "lines in single quotes": "A='one\ntwo $B \\n'\nB=1\n",
    "a key": 'K="-----BEGIN KEY-----\nMIIE/+==\n-----END KEY-----\n"\nB=1\n',
    "blank lines": "\n\nA=1\n\n\nB=2\n\n",
    "no end of line": "A=1\nB=2",
    "windows": 'A=1\r\nB="two"\r\nC=3 # note\r\n',
    "byte order mark": "\ufeffA=1\nB=2\n",
    "other alphabets": "A=é漢字😀\nB=\"naïve ☃\"\nC='ß'\nD=\u00a0x\u2028y\n",
    "addresses": "A=postgresql://u:p%40ss@db:5432/x?sslmode=require#frag\nB=https://h/p?a=1&b=2\nC=redis://:pw@h\n",
    "json": 'A={"a": [1, "b"]}\nB=\'{"a": "$x"}\'\n',
    "names": "_A=1\na1=2\nA_B=3\nA.B=4\nA-B=5\n",
    "mixed": "A='one'two\nB=\"one\"two\n",
    "backticks": "A=`date`\nB=$(date)\nC=\"$(date)\"\n",
    "percent and tilde": "A=100%\nB=~/x\nC=*?[a]\n",
}  # fmt: skip
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def by_compose(folder: Path, text: str) -> dict[str, str] | None:
    """What Compose makes of it as the project's `.env`, name by name; None when it refuses the file."""
    (folder / ".env").write_bytes(text.encode())
    names = sorted(set(NAME.findall(text)))
    asked = {name: f"${{{name}-\x01}}" for name in names}
    (folder / "compose.yaml").write_text(json.dumps({"services": {"a": {"image": "i", "environment": asked}}}))
    argv = [str(find_program()), "--project-directory", str(folder), "config", "--format", "json"]
    done = subprocess.run(argv, cwd=folder, env={"PATH": os.environ["PATH"]}, capture_output=True, check=False)
    if done.returncode:
        return None
    found = json.loads(done.stdout)["services"]["a"]["environment"]
    return {name: unescape(value) for name, value in found.items() if value != "\x01"}


def by_windlass(text: str) -> dict[str, str] | None:
    try:
        found = COMPOSE.read_env(text)
    except Refused:
        return None
    return {name: value for name, value in found.items() if NAME.fullmatch(name)}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES.keys())
def test_as_compose_reads_it(tmp_path: Path, text: str) -> None:
    """But for the mark at the beginning, which the command line takes off. None of these is refused."""
    found = by_windlass(text.removeprefix("\ufeff"))
    assert found == by_compose(tmp_path, text)
    assert found
