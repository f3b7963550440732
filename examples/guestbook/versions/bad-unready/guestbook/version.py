"""Which version this is, and the colour of its page."""

import os

NAME = "bad-unready"
COLOUR = "#b54708"
COMMIT = os.environ.get("WINDLASS_COMMIT", "unknown")
