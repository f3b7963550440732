"""Watches processes and files while something happens, for words that nobody may see."""

from __future__ import annotations

import subprocess
import threading

from tests.contents import contents_of
from tests.e2e.station import Station


class Watch:
    """Looks for words in what every process shows, and in every file of windlass's home, until it is left.

    `environments`: also those of all processes, which only root sees; an app's own processes hold what they were given.
    """

    def __init__(self, station: Station, *words: str, environments: bool = True) -> None:
        self._station = station
        self._list = ("ps", "axeww" if environments else "axww")
        self._words = [word.encode() for word in words]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.found: set[str] = set()
        self.looks = 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.02):
            self.looks += 1
            listed = subprocess.run(self._list, capture_output=True, check=False).stdout
            self._judge("ps", listed)
            for file, held in contents_of(self._station.home).items():
                self._judge(str(file), held)

    def _judge(self, place: str, content: bytes) -> None:
        self.found |= {place for word in self._words if word in content}
