"""Which version this is, and the colour of its page."""

import os

NAME = "bad-crash"
COLOUR = "#b42318"
COMMIT = os.environ.get("WINDLASS_COMMIT", "unknown")
