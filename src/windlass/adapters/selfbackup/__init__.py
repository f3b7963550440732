"""One encrypted file with everything that windlass itself needs to begin again on an empty home."""
