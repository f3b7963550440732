"""windlass keeps Docker Compose projects running on your own servers."""

__version__ = "0.1.0"
