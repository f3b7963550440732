"""Which version this is, and the colour of its page."""

import os

NAME = "v1"
COLOUR = "#0f766e"
COMMIT = os.environ.get("WINDLASS_COMMIT", "unknown")
