"""What windlass remembers, in SQLite or PostgreSQL."""
