"""Asks outside services from within a container's network, by a child process that needs nothing of the rest."""
