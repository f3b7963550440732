"""Which version this is, and the colour of its page."""

import os

NAME = "bad-late-crash"
COLOUR = "#9d174d"
COMMIT = os.environ.get("WINDLASS_COMMIT", "unknown")
