"""How windlass compares, on this machine: `python -m bench`."""
