"""What the worker does: counts an entry's words and guesses its mood."""

import os
import re
import time

import psycopg
import redis

from guestbook import version
from guestbook.stores import CHANNEL, REDIS_URL

MOODS = {
    "happy": {"happy", "great", "love", "lovely", "nice", "beautiful", "thanks", "wonderful", "fun", "good"},
    "curious": {"how", "why", "what", "when", "where", "who", "which"},
    "sad": {"sad", "bad", "miss", "sorry", "rain", "lost", "alone"},
}


def count(entry_id: int) -> None:
    """Count the words of an entry. Done twice it gives the same, so it may be tried again."""
    with psycopg.connect("") as connection:
        row = connection.execute("SELECT message FROM entries WHERE id = %s", [entry_id]).fetchone()
        if row is None:
            return
        time.sleep(float(os.environ.get("JOB_SECONDS", "0.3")))
        words = re.findall(r"[\w'-]+", row[0].lower())
        connection.execute(
            "UPDATE entries SET words = %s, mood = %s, counted_by = %s WHERE id = %s",
            [len(words), mood(words), version.NAME, entry_id],
        )
    redis.from_url(REDIS_URL).publish(CHANNEL, entry_id)


def mood(words: list[str]) -> str:
    """The mood most of its words speak of."""
    hits = {name: sum(word in known for word in words) for name, known in MOODS.items()}
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] else "calm"
