"""The connections to PostgreSQL and Redis. Their addresses come from PGHOST, PGUSER … and REDIS_URL."""

import os
from typing import Any

import redis
import redis.asyncio
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from rq import Queue, Retry

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
QUEUE = "guestbook"
CHANNEL = "guestbook:changed"

Pool = AsyncConnectionPool[AsyncConnection[dict[str, Any]]]


class Stores:
    """Both stores of one web process."""

    def __init__(self) -> None:
        self.db: Pool = AsyncConnectionPool(
            "",
            open=False,
            min_size=2,
            max_size=10,
            timeout=2,
            reconnect_timeout=5,
            check=AsyncConnectionPool.check_connection,
            kwargs={"row_factory": dict_row, "connect_timeout": 2},
        )
        self.redis = redis.asyncio.from_url(REDIS_URL, decode_responses=True, socket_connect_timeout=2)
        self._queue = Queue(QUEUE, connection=redis.from_url(REDIS_URL, socket_connect_timeout=2, socket_timeout=2))

    def order_count(self, entry_id: int) -> None:
        """Ask a worker to count the entry's words. Blocks for a moment: call it from a thread."""
        self._queue.enqueue("guestbook.jobs.count", entry_id, retry=Retry(max=3), result_ttl=0)

    async def close(self) -> None:
        """Close every connection."""
        await self.db.close()
        await self.redis.aclose()
