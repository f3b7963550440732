"""Measures windlass beside its neighbours, prints the figures, and writes them to docs/bench.md."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.e2e.engines import ROOT

from bench import api, compose, crashes, deploys, idle, rolling
from bench.figures import Figures
from bench.machine import describe_machine
from bench.report import write_report

PARTS = ("deploys", "compose", "rolling", "crashes", "idle", "api")


def main(argv: list[str]) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer turns, shorter looks")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part alone; nothing is written then")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "bench.md")
    options = parser.parse_args(argv)
    figures = Figures(quick=options.quick, machine=describe_machine())
    parts = {
        "deploys": deploys.measure,
        "compose": compose.measure,
        "rolling": rolling.measure,
        "crashes": crashes.measure,
        "idle": idle.measure,
        "api": api.measure,
    }
    for name in options.only or PARTS:
        figures.say(f"{name} …")
        parts[name](figures)
    text = write_report(figures)
    print(text)
    if not options.only:
        options.output.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
