"""A Docker Engine behind `ports.engine.Engine`. Importing this package is free; the SDK is loaded by `open_engine`."""

from __future__ import annotations

from windlass.ports.engine import Engine


def open_engine(url: str) -> Engine:
    """The engine at `url` (unix:// or tcp://). Connects at the first call, and again after the engine was away."""
    from windlass.adapters.engine.engine import DockerEngine

    return DockerEngine(url)
