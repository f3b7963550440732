"""The edge's own file for webhooks: nothing but their paths leads to the control plane, and to nothing else of it."""

from __future__ import annotations

from windlass.domain.edgedocument import (
    Buffering,
    EdgeFile,
    ForwardingTimeouts,
    Http,
    LoadBalancer,
    Middleware,
    RateLimit,
    Router,
    Server,
    ServersTransport,
    Service,
)
from windlass.domain.edgefile import ENTRY_POINTS
from windlass.domain.names import host as valid_host

NAME = "_hooks"  # no app is called so

_PATH = "PathRegexp(`^/hooks/[a-z0-9@-]{1,64}$`)"
# 5 MiB at most, and told beforehand; what is larger, or does not say how large it is, is answered by the edge.
_LENGTHS = (
    "[0-9]{1,6}", "[1-4][0-9]{6}", "5[01][0-9]{5}", "52[0-3][0-9]{4}", "524[01][0-9]{3}", "5242[0-7][0-9]{2}",
    "52428[0-7][0-9]", "5242880",
)  # fmt: skip
_IS_SMALL = f"HeaderRegexp(`Content-Length`, `^({'|'.join(_LENGTHS)})$`)"
_PRIORITY = 100_000_000  # before whatever an app has
_PER_SECOND, _BURST = 10, 60  # of one address; a Git server sends from few
_ANSWER_S = "60s"


def hooks_file(host: str, port: int) -> EdgeFile:
    """Webhooks of `host` go to this port on loopback. Raises Usage host_invalid."""
    rule = f"Host(`{valid_host(host)}`) && Method(`POST`) && {_PATH}"
    pace, large = f"{NAME}.pace", f"{NAME}.large"
    return EdgeFile(
        http=Http(
            routers={
                NAME: _router(f"{rule} && {_IS_SMALL}", _PRIORITY + 1, pace),
                f"{NAME}-large": _router(rule, _PRIORITY, pace, large),
            },
            services={
                NAME: Service(
                    loadBalancer=LoadBalancer(servers=(Server(url=f"http://127.0.0.1:{port}"),), serversTransport=NAME)
                )
            },
            serversTransports={
                NAME: ServersTransport(forwardingTimeouts=ForwardingTimeouts(responseHeaderTimeout=_ANSWER_S))
            },
            middlewares={
                pace: Middleware(rateLimit=RateLimit(average=_PER_SECOND, period="1s", burst=_BURST)),
                large: Middleware(buffering=Buffering(maxRequestBodyBytes=1)),
            },
        )
    )


def _router(rule: str, priority: int, *middlewares: str) -> Router:
    return Router(rule=rule, priority=priority, service=NAME, entryPoints=ENTRY_POINTS, middlewares=middlewares)
