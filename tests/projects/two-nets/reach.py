"""Which hosts can be reached from here."""

import socket
from urllib.parse import parse_qs, urlsplit

SSL_REQUEST = bytes.fromhex("0000000804d2162f")


def reach(path: str, _body: bytes) -> str:
    """/reach?host=db&port=5432 answers yes, or no and why."""
    asked = parse_qs(urlsplit(path).query)
    try:
        socket.create_connection((asked["host"][0], int(asked["port"][0])), 1).close()
    except OSError as error:
        return f"no: {error}"
    return "yes"


def postgres_answers(host: str) -> bool:
    """Whether a PostgreSQL server answers there: it says S or N when asked for TLS."""
    try:
        with socket.create_connection((host, 5432), 2) as connection:
            connection.sendall(SSL_REQUEST)
            return connection.recv(1) in (b"S", b"N")
    except OSError:
        return False
