"""Says its version."""

from server import HOST, VERSION, serve

serve({"/": lambda _path, _body: f"no-base {VERSION} on {HOST}\n"})
