"""Plans every Compose file of a folder of public collections, starts nothing, and counts what came of it."""
