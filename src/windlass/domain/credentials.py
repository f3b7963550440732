"""Passwords, tokens and one-time codes: how they are made from random bytes, kept as hashes, and compared."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct

from windlass.domain.errors import Usage

TOKEN_PREFIX = "wl_"
PASSWORD_LENGTH = 10
PASSWORD_LIMIT = 1000

STEP_S = 30
_DIGITS = 6

# 32 MiB and about a quarter of a second: what is written into a new hash. An older one is checked by what it says.
_SCRYPT = (15, 8, 3)
_HASH_BYTES = 32


def token_text(random: bytes) -> str:
    """What is shown once; the prefix lets scanners for leaked secrets find it."""
    return TOKEN_PREFIX + secret_text(random)


def secret_text(random: bytes) -> str:
    return base64.urlsafe_b64encode(random).decode().rstrip("=")


def hash_secret(text: str) -> str:
    """Of a token, a session's cookie or a link: 256 random bits need no salt and no slowness."""
    return hashlib.sha256(text.encode()).hexdigest()


def csrf_of(cookie: str) -> str:
    """Follows from the cookie and is kept nowhere: who has stolen the session's row does not have it."""
    return hmac.new(cookie.encode(), b"windlass csrf", hashlib.sha256).hexdigest()


def hash_password(password: str, salt: bytes) -> str:
    """`scrypt$<log2 N>$<r>$<p>$<salt>$<hash>`; `salt`: 16 random bytes."""
    words = [str(n) for n in _SCRYPT]
    return "$".join(["scrypt", *words, _b64(salt), _b64(_scrypt(password, salt, *_SCRYPT))])


def check_password(password: str, kept: str) -> bool:
    """False for a kept hash that is none: then there is no password that fits."""
    try:
        kind, log_n, r, p, salt, expected = kept.split("$")
        if kind != "scrypt":
            return False
        shown = _scrypt(password, base64.b64decode(salt), int(log_n), int(r), int(p))
        return hmac.compare_digest(shown, base64.b64decode(expected))
    except ValueError:
        return False


# Checked against for names that are not there, so that time does not tell which are. No password fits it.
NO_PASSWORD = "$".join(["scrypt", *(str(n) for n in _SCRYPT), "A" * 22 + "==", "A" * 43 + "="])


def valid_password(password: str, user: str) -> str:
    """Raises Usage password_weak; the message does not show it."""
    if len(password) < PASSWORD_LENGTH:
        wrong = f"it has fewer than {PASSWORD_LENGTH} characters"
    elif len(password) > PASSWORD_LIMIT:
        wrong = f"it has more than {PASSWORD_LIMIT} characters"
    elif user.lower() in password.lower() and len(password) < len(user) + PASSWORD_LENGTH:
        wrong = "it is hardly more than the name"
    elif len(set(password)) < 5:
        wrong = "it has hardly any different characters"
    else:
        return password
    raise Usage(f"the password is too weak: {wrong}", code="password_weak", hint="a few words that only you would join")


# ---- second factor: RFC 6238, SHA-1, 6 digits, 30 seconds -----------------------------------------------------------


def totp_code(secret: bytes, step: int) -> str:
    digest = hmac.new(secret, struct.pack(">Q", step), hashlib.sha1).digest()
    at = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[at : at + 4])[0] & 0x7FFF_FFFF
    return str(number % 10**_DIGITS).zfill(_DIGITS)


def totp_step(secret: bytes, code: str, now: float, last: int) -> int | None:
    """The time step whose code this is: now, the one before or after; None when none, or when used already."""
    shown = code.replace(" ", "").encode()
    current = int(now) // STEP_S
    fitting = [
        s for s in (current - 1, current, current + 1) if hmac.compare_digest(totp_code(secret, s).encode(), shown)
    ]
    return next((s for s in fitting if s > last), None)


def totp_uri(secret: bytes, user: str, issuer: str) -> str:
    """What an authenticator's camera reads."""
    key = base64.b32encode(secret).decode().rstrip("=")
    return f"otpauth://totp/{issuer}:{user}?secret={key}&issuer={issuer}"


def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    need = 128 * r * (1 << log_n) + (1 << 20) * 4
    return hashlib.scrypt(password.encode(), salt=salt, n=1 << log_n, r=r, p=p, maxmem=need, dklen=_HASH_BYTES)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
