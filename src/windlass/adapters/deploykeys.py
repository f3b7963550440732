"""SSH keys by which windlass is let in to repositories: made here, or read from what the user gave."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from windlass.domain.errors import Refused
from windlass.ports.sources import DeployKey


def make_key(comment: str) -> DeployKey:
    """A new ed25519 key; the comment is shown where the public half is put."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return DeployKey(private, f"{public} {comment}")


def read_key(private: str) -> DeployKey:
    """Raises Refused (code deploy_key_invalid) for what is no private key of OpenSSH, or has a passphrase."""
    text = private.replace("\r\n", "\n").strip() + "\n"
    try:
        key = load_ssh_private_key(text.encode(), password=None)
    except TypeError as error:
        raise _invalid("the deploy key has a passphrase, and nobody will be there to type it") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _invalid("the deploy key is not a private key in OpenSSH's format") from error
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return DeployKey(text, public)


def _invalid(words: str) -> Refused:
    return Refused(words, code="deploy_key_invalid", hint="let windlass make one: --deploy-key generate")
