"""A small guestbook: web pages in FastAPI, entries in PostgreSQL, words counted by a worker through Redis."""
