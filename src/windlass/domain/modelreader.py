"""Reads what `docker compose config --format json` printed into the typed model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from windlass.domain.compose import (
    Condition,
    Dependency,
    Grant,
    Healthcheck,
    Hook,
    Model,
    Mount,
    Network,
    Port,
    Service,
    Volume,
)
from windlass.domain.errors import Detail, Usage, refuse
from windlass.domain.units import parse_duration

_PORTS_OF_ONE_RANGE = 1000


def read_model(document: Mapping[str, Any]) -> Model:
    """The typed model. Raises Refused (code compose_invalid) when it is not what Compose prints."""
    try:
        return Model(
            services={name: read_service(name, raw or {}) for name, raw in _section(document, "services")},
            networks={key: _network(key, raw or {}) for key, raw in _section(document, "networks")},
            volumes={key: _volume(key, raw or {}) for key, raw in _section(document, "volumes")},
            secrets={key: raw or {} for key, raw in _section(document, "secrets")},
            configs={key: raw or {} for key, raw in _section(document, "configs")},
            raw=document,
        )
    except (AttributeError, KeyError, TypeError, ValueError, Usage) as problem:
        words = f"the Compose file resolves to something windlass cannot read: {problem}"
        fix = "docker compose config"
        raise refuse([Detail("compose_invalid", "compose", words, fix)]) from problem


def read_service(name: str, raw: Mapping[str, Any]) -> Service:
    """One entry of `services:`; a key with the value null counts as not written."""
    plain = unescape(raw)
    deploy = plain.get("deploy") or {}
    replicas = _replicas(plain, deploy)
    grace = plain.get("stop_grace_period")
    return Service(
        name=name,
        image=plain.get("image") or "",
        build=plain.get("build"),
        command=_words(plain.get("command")),
        entrypoint=_words(plain.get("entrypoint")),
        environment=_environment(plain.get("environment")),
        labels=_strings(plain.get("labels")),
        ports=tuple(_port(entry) for entry in plain.get("ports") or ()),
        expose=tuple(_exposed(plain.get("expose") or ())),
        mounts=tuple(_mount(entry) for entry in plain.get("volumes") or ()),
        networks=_aliases(plain.get("networks") or {}),
        links=_words(plain.get("links")),
        depends_on=_dependencies(plain.get("depends_on") or {}),
        healthcheck=_healthcheck(plain.get("healthcheck")),
        restart=_restart(plain.get("restart"), deploy.get("restart_policy")),
        replicas=1 if replicas is None else replicas,
        replicas_written=replicas is not None,
        update_order=(deploy.get("update_config") or {}).get("order") or "",
        stop_grace_s=10.0 if grace is None else _duration(grace, 10.0),
        grace_written=grace is not None,
        network_mode=plain.get("network_mode") or "",
        container_name=plain.get("container_name") or "",
        volumes_from=_words(plain.get("volumes_from")),
        grants=_grants(plain),
        post_start=tuple(_hook(entry) for entry in plain.get("post_start") or ()),
        pre_stop=tuple(_hook(entry) for entry in plain.get("pre_stop") or ()),
        raw=raw,
    )


def unescape(value: Any) -> Any:
    """The same value with every `$$` of its strings read as `$`; keys are left as they are."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, Mapping):
        return {key: unescape(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [unescape(inner) for inner in value]
    return value


def _section(document: Mapping[str, Any], key: str) -> Iterable[tuple[str, Any]]:
    found = document.get(key) or {}
    if not isinstance(found, Mapping):
        raise TypeError(f"`{key}` is not a mapping")
    return found.items()


def _network(key: str, raw: Mapping[str, Any]) -> Network:
    return Network(
        key=key,
        name=unescape(raw.get("name") or key),
        external=bool(raw.get("external")),
        internal=bool(raw.get("internal")),
        raw=raw,
    )


def _volume(key: str, raw: Mapping[str, Any]) -> Volume:
    return Volume(key=key, name=unescape(raw.get("name") or key), external=bool(raw.get("external")), raw=raw)


def _words(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(str(word) for word in value)


def _strings(value: Any) -> dict[str, str]:
    if isinstance(value, list):
        pairs = (str(entry).partition("=") for entry in value)
        return {key: text for key, _, text in pairs}
    return {str(key): _text(inner) for key, inner in (value or {}).items()}


def _environment(value: Any) -> dict[str, str]:
    """A name without a value stands for a variable that nothing sets: the container does not get it."""
    if isinstance(value, Mapping):
        return _strings({key: inner for key, inner in value.items() if inner is not None})
    return _strings([entry for entry in value or () if "=" in str(entry)])


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _replicas(plain: Mapping[str, Any], deploy: Mapping[str, Any]) -> int | None:
    if plain.get("scale") is not None:
        return int(plain["scale"])
    return None if deploy.get("replicas") is None else int(deploy["replicas"])


def _restart(written: Any, policy: Any) -> str:
    """`restart` wins; else what Compose makes of `deploy.restart_policy`."""
    if written:
        return str(written)
    if not policy:
        return "no"
    condition = policy.get("condition") or "any"
    known = {"none": "no", "any": "always"}.get(condition, condition)
    attempts = policy.get("max_attempts")
    return f"{known}:{attempts}" if known == "on-failure" and attempts else known


def _port(entry: Any) -> Port:
    if not isinstance(entry, Mapping):
        return _short_port(str(entry))
    return Port(
        target=int(entry["target"]),
        published="" if entry.get("published") in (0, "0") else _text(entry.get("published")),
        host_ip=entry.get("host_ip") or "",
        protocol=entry.get("protocol") or "tcp",
    )


def _short_port(text: str) -> Port:
    """`[[host_ip:]published:]target[/protocol]`, where an IPv6 address stands in brackets."""
    numbers, _, protocol = text.partition("/")
    rest, _, target = numbers.rpartition(":")
    host_ip, _, published = rest.rpartition(":")
    return Port(int(target), published, host_ip.strip("[]"), protocol or "tcp")


def _exposed(entries: Iterable[Any]) -> Iterable[int]:
    for entry in entries:
        numbers, _, protocol = str(entry).partition("/")
        if protocol not in ("", "tcp") or not numbers:
            continue  # what became blank is told elsewhere
        first, _, last = numbers.partition("-")
        yield from range(int(first), min(int(last or first), int(first) + _PORTS_OF_ONE_RANGE) + 1)


def _mount(entry: Any) -> Mount:
    if not isinstance(entry, Mapping):
        return _short_mount(str(entry))
    return Mount(
        kind=entry.get("type") or "volume",
        source=entry.get("source") or "",
        target=entry.get("target") or "",
        read_only=bool(entry.get("read_only")),
    )


def _short_mount(text: str) -> Mount:
    source, _, rest = text.partition(":")
    if not rest:
        return Mount("volume", "", source)
    target, _, mode = rest.partition(":")
    kind = "bind" if source.startswith((".", "/", "~")) else "volume"
    return Mount(kind, source, target, "ro" in mode.split(","))


def _aliases(value: Any) -> dict[str, tuple[str, ...]]:
    if isinstance(value, list):
        return {str(key): () for key in value}
    return {key: _words((inner or {}).get("aliases")) for key, inner in value.items()}


def _dependencies(value: Any) -> tuple[Dependency, ...]:
    if isinstance(value, list):
        return tuple(Dependency(str(name)) for name in value)
    return tuple(
        Dependency(
            service=name,
            condition=Condition((inner or {}).get("condition") or Condition.STARTED),
            required=(inner or {}).get("required") is not False,
        )
        for name, inner in value.items()
    )


def _healthcheck(value: Mapping[str, Any] | None) -> Healthcheck | None:
    """None when nothing is written; ("NONE",) when it is switched off; an empty test keeps the image's own."""
    if not value:
        return None
    test = value.get("test")
    words = ("CMD-SHELL", test) if isinstance(test, str) else _words(test)
    if value.get("disable") or words[:1] == ("NONE",):
        words = ("NONE",)
    return Healthcheck(
        test=words,
        interval_s=_duration(value.get("interval"), 30.0),
        timeout_s=_duration(value.get("timeout"), 30.0),
        start_period_s=_duration(value.get("start_period"), 0.0),
        retries=int(value.get("retries") or 3),
    )


def _duration(value: Any, default: float) -> float:
    return default if value is None else parse_duration(str(value))


def _grants(plain: Mapping[str, Any]) -> tuple[Grant, ...]:
    secrets = (_grant("secret", entry, "/run/secrets/") for entry in plain.get("secrets") or ())
    configs = (_grant("config", entry, "/") for entry in plain.get("configs") or ())
    return (*secrets, *configs)


def _grant(kind: str, entry: Any, folder: str) -> Grant:
    """A target without a slash is a file name: in /run/secrets for a secret, in / for a config."""
    if isinstance(entry, str):
        return Grant(kind, entry, folder + entry)
    target = entry.get("target") or entry["source"]
    return Grant(
        kind=kind,
        source=entry["source"],
        target=target if target.startswith("/") else folder + target,
        uid=_text(entry.get("uid")),
        gid=_text(entry.get("gid")),
        mode=_mode(entry.get("mode")),
    )


def _mode(value: Any) -> int:
    """Compose prints octal digits in a string; a number is the mode itself."""
    if value is None:
        return 0o444
    return int(value, 8) if isinstance(value, str) else int(value)


def _hook(entry: Mapping[str, Any]) -> Hook:
    return Hook(
        command=_words(entry.get("command")),
        user=_text(entry.get("user")),
        working_dir=entry.get("working_dir") or "",
        privileged=bool(entry.get("privileged")),
        environment=_environment(entry.get("environment")),
    )
