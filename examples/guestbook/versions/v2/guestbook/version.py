"""Which version this is, and the colour of its page."""

import os

NAME = "v2"
COLOUR = "#7c3aed"
COMMIT = os.environ.get("WINDLASS_COMMIT", "unknown")
