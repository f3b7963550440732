"""API: the master key, of which nobody ever sees more than its id."""

from __future__ import annotations

from windlass.domain.rights import Permission
from windlass.usecases import keys
from windlass.web.inputs import Document, World
from windlass.web.needs import needs
from windlass.web.routing import guarded_router

router = guarded_router("key")


@router.get("/key")
@needs(Permission.SERVER_READ)
def key_status(outside: World) -> Document:
    """Which keys protect how many values, and whether a rotation is unfinished."""
    return keys.key_status(outside)


@router.post("/key/rotate")
@needs(Permission.SERVER_MANAGE, "key.rotate")
def rotate_key(outside: World) -> Document:
    """Encrypt every value under a new key and forget the old one; or finish the rotation that was cut off."""
    return keys.rotate_key(outside)
