"""A small app for the tests of `verify`: JSON, uploads, a WebSocket, a film, and faults that only visitors see."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.projects import write

DOCKERFILE = """\
FROM python:3.11-slim
ARG VERSION=v1
ARG FAULT=none
ENV VERSION=$VERSION FAULT=$FAULT PYTHONUNBUFFERED=1
WORKDIR /app
COPY *.py ./
CMD ["python", "app.py"]
"""

COMPOSE = """\
services:
  web:
    build: {{context: ., args: {{VERSION: {version}, FAULT: {fault}}}}}
    expose: ["8000"]
    restart: unless-stopped
"""

APP = """\
import base64, hashlib, itertools, json, os, signal, socket, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from film import film

VERSION, FAULT = os.environ["VERSION"], os.environ["FAULT"]
ITEMS, NUMBERS, ASKED = {}, itertools.count(1), itertools.count(1)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        if path == "/ws":
            return self.talk()
        if path == "/stream":
            return self.stream()
        visitor = (self.headers.get("Host") or "").split(":")[0].endswith(".localhost")
        if FAULT.startswith("errors") and visitor and next(ASKED) % 20 == 0:
            return self.send(500, "it broke")
        self.send(*self.answer(path, body))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def answer(self, path, body):
        if path == "/health":
            return 200, {"status": "degraded" if FAULT == "json" else "healthy", "version": VERSION}
        if path == "/film.mp4":
            return 200, film(audio=FAULT != "audio")
        if path == "/items" and self.command == "POST":
            number = next(NUMBERS)
            ITEMS[str(number)] = json.loads(body)
            return 201, {"data": {"id": number, "by": self.headers.get("X-Who")}}
        if path.startswith("/items/"):
            found = ITEMS.get(path.rpartition("/")[2])
            return (404, "no such item") if found is None else (200, {"data": found})
        if path == "/slow":
            time.sleep(60)
        if path == "/upload":
            return 200, {"length": len(body), "type": self.headers.get("Content-Type", "").split(";")[0]}
        return 200, {"path": self.path, "host": self.headers.get("Host"), "method": self.command, "version": VERSION}

    def send(self, status, content):
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("X-Version", VERSION)
        self.send_header("Content-Type", "video/mp4" if data is content else "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def stream(self):
        self.send_response(200)
        self.send_header("X-Version", VERSION)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in [*(b"%d\\n" % n for n in range(30)), b"END"]:
            self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(piece), piece))
            self.wfile.flush()
            time.sleep(0.1)
        self.wfile.write(b"0\\r\\n\\r\\n")
        self.wfile.flush()

    def talk(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        while head := self.rfile.read(2):
            length = head[1] & 127
            if length == 126:
                length = int.from_bytes(self.rfile.read(2), "big")
            mask = self.rfile.read(4)
            data = bytes(c ^ mask[i % 4] for i, c in enumerate(self.rfile.read(length)))
            if head[0] & 15 == 8:
                return
            text = b"broken" if FAULT == "ws" else f"{VERSION} ".encode() + data
            self.wfile.write(bytes([129, len(text)]) + text)
            self.wfile.flush()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


server = Server(("0.0.0.0", 8000), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
if FAULT == "crash":
    threading.Timer(8, lambda: os._exit(3)).start()
server.serve_forever(poll_interval=0.05)
time.sleep(3.5)
"""

# The smallest film that has streams: boxes in boxes, as in every MP4 file.
FILM = """\
def box(kind, *inner):
    body = b"".join(inner)
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def track(handler):
    return box(b"trak", box(b"mdia", box(b"hdlr", bytes(8), handler, bytes(12))))


def film(audio):
    tracks = [track(b"vide"), *([track(b"soun")] if audio else [])]
    return box(b"ftyp", b"isom", bytes(4)) + box(b"moov", *tracks) + box(b"mdat", bytes(1000))


def streams(data):
    found, at = [], 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = data[at + 8 : at + size]
        if kind in (b"moov", b"trak", b"mdia"):
            found += streams(body)
        elif kind == b"hdlr":
            found.append(body[8:12].decode())
        at += max(size, 8)
    return found
"""

LISTEN = """\
import os, sys, urllib.request

from film import streams

assert sys.argv[1].startswith(os.environ["WINDLASS_APP_URL"])
found = streams(urllib.request.urlopen(sys.argv[1], timeout=10).read())
print("streams:", *found)
sys.exit(0 if "soun" in found else "the film has no audio stream")
"""


def prover(folder: Path, version: str, verify: str, fault: str = "none", more: str = "") -> Path:
    """That version, with this `verify`; `more` goes to the Compose file."""
    files = {
        "Dockerfile": DOCKERFILE,
        "compose.yaml": COMPOSE.format(version=version, fault=fault) + more,
        "windlass.yaml": verify,
        "app.py": APP,
        "film.py": FILM,
        "listen.py": LISTEN,
        "clips/a.wav": "RIFF....WAVE",
    }
    return write(folder, files)
