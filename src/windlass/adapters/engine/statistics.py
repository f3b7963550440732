"""What a container uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windlass.adapters.engine.connection import Speaker, checked


class Statistics(Speaker):
    def stats(self, ref: str) -> Mapping[str, Any]:
        """Takes about a second: use of the processor is the difference of two readings."""
        with self._connection.call(f"container {ref}") as api:
            found = api.stats(checked(ref), stream=False)
        memory = found.get("memory_stats") or {}
        networks = (found.get("networks") or {}).values()
        return {
            "cpu_percent": _cpu_percent(found.get("cpu_stats") or {}, found.get("precpu_stats") or {}),
            "memory_bytes": _memory(memory),
            "memory_limit_bytes": memory.get("limit", 0),
            "pids": (found.get("pids_stats") or {}).get("current", 0),
            "rx_bytes": sum(net["rx_bytes"] for net in networks),
            "tx_bytes": sum(net["tx_bytes"] for net in networks),
        }

    def memory_used(self, ref: str) -> int:
        """One reading, for which the engine may still wait a second."""
        with self._connection.call(f"container {ref}") as api:
            found = api.stats(checked(ref), stream=False, one_shot=True)
        return _memory(found.get("memory_stats") or {})


def _memory(found: Mapping[str, Any]) -> int:
    detail = found.get("stats") or {}
    cache = detail.get("inactive_file", detail.get("total_inactive_file", 0))
    return max(int(found.get("usage", 0)) - int(cache), 0)


def _cpu_percent(now: Mapping[str, Any], before: Mapping[str, Any]) -> float:
    """100 is one processor in full use."""
    system = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    if not system or "cpu_usage" not in before:
        return 0.0
    used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    cpus = now.get("online_cpus") or len(now["cpu_usage"].get("percpu_usage") or [0])
    return max(0.0, round(float(used / system * cpus * 100), 2))
