"""A job that fills a volume for web."""

import os
from pathlib import Path

Path("/site/index.txt").write_text(f"filled by {os.environ['VERSION']}\n")
