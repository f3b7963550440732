"""What came of asking an outside service, as a line for a person: what failed, where, and what to do. Never a value."""

from __future__ import annotations

from collections.abc import Mapping

from windlass.domain.checks import Finding, Status
from windlass.domain.outposts import Depth, Kind, Reply, Step, Visit
from windlass.domain.outsideservices import BY_PROXY, ITSELF, NO_LOOKUP, NO_PLACE

CHECK = "reachability"

_NAMES = {
    Kind.POSTGRES: "PostgreSQL", Kind.REDIS: "Redis", Kind.S3: "S3 server", Kind.HTTP: "HTTP server",
    Kind.MYSQL: "MySQL server", Kind.AMQP: "AMQP broker", Kind.MONGODB: "MongoDB server", Kind.TCP: "service",
}  # fmt: skip

# step -> why -> what happened behind "VARIABLE: ", and the fix. {place} host:port, {host}, {thing} the kind's name,
# {code} the server's own word, {value} what corrects the variable.
_WORDS: Mapping[Step, Mapping[str, tuple[str, str]]] = {
    Step.NAME: {
        "unknown": ("no name server knows the host {host}", "{value}, or join the network that knows it"),
        "alone": ("no service of the project is called {host}, and no name server knows it", "{value}"),
        "timeout": ("no name server answered for the host {host}", "look at this machine's name servers"),
    },
    Step.NETWORK: {
        "refused": ("{place} refuses connections", "{value}, or start what is to listen there"),
        "timeout": ("{place} does not answer", "{value}, or let this machine through the firewall before it"),
        "unreachable": ("no way leads to {place}", "{value}, or give the network a way there"),
        "internal": ("no way leads to {place}: {services} only on `internal` networks", "add one that is not"),
        "silent": ("{place} takes the connection and says nothing", "{value}, or look at what listens there"),
        "closed": ("{place} closes the connection at once", "{value}, or let this machine in there"),
    },
    Step.TLS: {
        "expired": ("the certificate of {place} has expired", "renew it there"),
        "early": ("the certificate of {place} is not valid yet", "check the clocks there and here"),
        "unknown": ("the certificate of {place} is signed by nobody known here", "install its authority here"),
        "name": ("the certificate of {place} is for another host than {host}", "{value}, or renew it there"),
        "none": ("{place} speaks no TLS, and the address asks for it", "turn TLS on there, or {value}"),
        "needed": ("{place} wants TLS, and the address does not ask for it", "{value}, with {secure}"),
        "silent": ("{place} ends or ignores the handshake of TLS", "turn TLS on there, or {value}"),
        "failed": ("TLS with {place} fails{code}", "look at which versions of TLS it allows"),
    },
    Step.PROTOCOL: {
        "other": ("what answers at {place} is no {thing}", "{value}"),
        "version": ("{place} wants a way to log in that windlass does not know{code}", ""),
    },
    Step.CREDENTIALS: {
        "wrong": ("{place} does not accept the user or password", "{value}"),
        "missing": ("{place} asks for a password, and there is none", "{value}"),
        "needless": ("{place} has no password, and the address gives one", "{value}, or set the password there"),
        "key": ("{place} does not know the access key", "{value}"),
        "signature": ("{place} does not accept the secret key", "{value}"),
        "clock": ("{place} says that this machine's clock is wrong", "timedatectl set-ntp true"),
    },
    Step.PERMISSION: {
        "address": ("{place} has no rule that lets this user in from here{code}", "allow this machine's address there"),
        "login": ("{place} does not let this user log in{code}", "allow it there"),
        "denied": ("{place} denies the user this{code}", "give the user the right to it there"),
        "bucket": ("{place} denies the key the bucket{code}", "give the key the right to list and use the bucket"),
    },
    Step.DATABASE: {
        "missing": ("{place} has no database of that name", "create it there, or {value}"),
        "number": ("{place} has no database of that number", "{value}"),
    },
    Step.BUCKET: {
        "missing": ("{place} has no bucket of that name", "create it there, or {value}"),
    },
    Step.BUSY: {
        "full": ("{place} has no connection left{code}", "end some there, or allow more"),
        "starting": ("{place} is not ready yet{code}", "try again in a moment"),
        "failing": ("{place} answers with an error of its own{code}", "look at what it says there"),
    },
    Step.UNASKED: {
        "error": ("{place} was not asked: windlass itself failed at it", "try again, then report it"),
    },
}  # fmt: skip
_SECURE = {
    Kind.POSTGRES: "?sslmode=require", Kind.REDIS: "rediss://", Kind.AMQP: "amqps://", Kind.HTTP: "https://",
    Kind.S3: "https:// in its endpoint",
}  # fmt: skip
_UNASKED = {
    NO_PLACE: ("nothing tells where it is: no endpoint and no keys beside it", ""),
    NO_LOOKUP: ("its servers are found by a lookup that windlass does not make", ""),
    BY_PROXY: ("{place} is reached through a proxy, which was not asked", ""),
    ITSELF: (
        "{place} is in a container the container itself, and not the machine",
        "{value}: name the service, or host.docker.internal",
    ),
}


def tell_visit(app: str, visit: Visit, reply: Reply) -> Finding:
    """`app` as a person writes it."""
    if visit.unasked:
        message, fix = _UNASKED[visit.unasked]
        return _finding(app, visit, Status.WARNING, (message, fix), Step.UNASKED)
    if reply.is_good:
        name = visit.target.variable
        return Finding(f"{CHECK}:{name}", Status.OK, _good(visit, reply), name=name)
    words = _WORDS[reply.step].get(_why(visit, reply), ("{place}: " + reply.step + "{code}", ""))
    is_refusal = visit.strict and reply.step not in (Step.BUSY, Step.UNASKED)
    return _finding(app, visit, Status.REFUSED if is_refusal else Status.WARNING, words, reply.step, reply.code)


def _why(visit: Visit, reply: Reply) -> str:
    """A name without a dot is meant as one of the project's, or of a network that it joins."""
    is_lone = reply.step is Step.NAME and reply.why == "unknown" and "." not in visit.target.servers[0][0]
    return "alone" if is_lone else reply.why


def tell_unasked(app: str, visit: Visit, why: str) -> Finding:
    """`why` windlass could not ask at all."""
    return _finding(app, visit, Status.WARNING, ("{place} was not asked{code}", ""), Step.UNASKED, why)


def _finding(app: str, visit: Visit, status: Status, words: tuple[str, str], step: Step, code: str = "") -> Finding:
    target = visit.target
    parts = {
        "place": target.place or _NAMES[target.kind],
        "host": target.servers[0][0] if target.servers else "",
        "thing": _NAMES[target.kind],
        "code": f" ({code})" if code else "",
        "secure": _SECURE.get(target.kind, "TLS"),
        "value": _to_change(app, visit),
        "services": f"{_listed(visit.services)} {'is' if len(visit.services) == 1 else 'are'}",
    }
    message, fix = (text.format(**parts) for text in words)
    name = target.variable
    if status is Status.REFUSED:
        fix = "; ".join(filter(None, (fix, f"or --skip-check {CHECK}:{name}")))
    return Finding(
        f"{CHECK}:{name}", status, f"{name} ({_listed(visit.services)}): {message}", fix, f"reach_{step}", name
    )


def _good(visit: Visit, reply: Reply) -> str:
    done = {
        Depth.LOGIN: "logged in at {place}",
        Depth.ANSWER: "{place} answers; no log-in was tried",
        Depth.CONNECTION: "{place} takes connections; no log-in was tried",
    }
    if visit.target.kind is Kind.HTTP and not visit.target.user:
        done[Depth.ANSWER] = "{place} answers"
    words = done[reply.depth].format(place=visit.target.place)
    return f"{visit.target.variable} ({_listed(visit.services)}): {words}"


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _to_change(app: str, visit: Visit) -> str:
    name = visit.target.variable
    if not visit.settable:
        return f"correct {name} in the Compose file"
    beside = " or the keys beside it" if visit.target.kind is Kind.S3 else ""
    return f"correct {name}{beside}: windlass env set {app} {name} --stdin"
