"""The edge: Traefik in a container, driven by one file per app and confirmed through its API."""
