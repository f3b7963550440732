"""What the use-cases need of the outside world, and nothing of how it is done."""
