"""Dokploy's template.toml beside a Compose file, in Compose's words: its variables, domains and files."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from windlass.domain.composekeys import entries, sequence
from windlass.domain.dialects.magic import Kind, Secret
from windlass.domain.dialects.translation import NewFile, Translation, WantedRoute, joined
from windlass.domain.documents import Document
from windlass.domain.insidepaths import inside
from windlass.domain.names import is_reserved
from windlass.domain.rewriting import REMOVED, Edit

TEMPLATE = "template.toml"
HOST = "DOKPLOY_HOST_"
_OWN = re.compile(r"\$\{(DOKPLOY_\w+)\}")
_PART = re.compile(r"\$\{([A-Za-z_]\w*)(?::([^}]*))?\}")
_NAME = re.compile(r"[A-Za-z_]\w*")
_FILES = re.compile(r"\.\./files(?=/|:|$)")
_SHORT = re.compile(r"(\.\./files[^:]*):([^:]+)(:.*)?")
_KINDS = {"password": (Kind.SMALL_WORD, 16), "base64": (Kind.BASE64, 32), "hash": (Kind.HEX, 8)}
_KINDS |= {"uuid": (Kind.UUID, 16), "username": (Kind.SMALL_WORD, 12), "jwt": (Kind.WORD, 64)}
_DEPTH = 10


@dataclass
class _Texts:
    """Texts of the template with windlass's own variables in place of Dokploy's words. `left`: what is not known."""

    variables: Mapping[str, str]
    secrets: dict[str, Secret] = field(default_factory=dict)
    left: dict[str, None] = field(default_factory=dict)

    def written(self, text: str, owner: str, depth: int = 0) -> str:
        """`owner` names what is made in it, so that the same variable is the same value everywhere."""
        count = 0

        def put(match: re.Match[str]) -> str:
            nonlocal count
            name, argument = match[1], match[2] or ""
            if name in self.variables and not argument and depth < _DEPTH:
                return self.written(self.variables[name], name, depth + 1)
            if name == "domain":
                return f"${{{HOST}{_plain(owner)}}}"
            if name == "email":
                return f"admin@${{{HOST}{_plain(owner)}}}"
            kind, size = _KINDS.get(name, (Kind.WORD, 0))
            if not size or (argument and not argument.isdigit()):
                self.left[match[0]] = None
                return match[0]
            made = f"DOKPLOY_{_plain(owner)}" + (f"_{count}" if count else "")
            count += 1
            asked = int(argument) // (2 if kind is Kind.HEX else 1) if argument else size
            self.secrets[made] = Secret(made, kind, max(asked, 4))
            return f"${{{made}}}"

        return _PART.sub(put, text)


def translate_dokploy(content: bytes, folder: str, documents: Mapping[str, Document]) -> dict[str, Translation]:
    """File -> what changes in it; what is about the project stands with the first. `folder`: that of template.toml."""
    first = next(iter(documents), "")
    try:
        template = tomllib.loads(content.decode("utf-8", "replace"))
    except tomllib.TOMLDecodeError as wrong:
        moved = {name: _binds(document, {}) for name, document in documents.items()}
        told = Translation(notes=(f"Dokploy's dialect: {TEMPLATE} is left out: {wrong}",))
        return moved | {first: joined([told, moved[first]])} if first else {}
    config = template.get("config")
    if not isinstance(config, Mapping) or not first:
        return {}
    texts = _Texts({str(k): _text(v) for k, v in _mapping(template.get("variables")).items()})
    env = dict(_known(config, texts))
    routes = tuple(_routes(config, texts))
    files = {path: texts.written(text, f"file_{i}") for i, (path, text) in enumerate(_files(config))}
    plain = {path: text for path, text in files.items() if not _OWN.search(text)}
    hidden = {path: text for path, text in files.items() if path not in plain}
    found = {name: _binds(document, hidden) for name, document in documents.items()}
    note = f"Dokploy's dialect: variables, domains and files of {TEMPLATE}: {', '.join([*env, *files]) or 'none'}"
    project = Translation(
        files=tuple(NewFile(p, t.encode(), t.startswith("#!")) for p, t in _placed(plain, folder)),
        routes=routes,
        secrets=tuple(texts.secrets.values()),
        texts=env,
        notes=(note, *(f"Dokploy's dialect: {left} is not known here, and left out" for left in texts.left)),
    )
    return found | {first: joined([project, found[first]])}


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text of the template with the values of windlass's own variables."""
    return _OWN.sub(lambda match: values.get(match[1], match[0]), text)


def hosts_in(text: str) -> set[str]:
    """Names of windlass's own variables that stand for a host."""
    return {name for name in _OWN.findall(text) if name.startswith(HOST)}


def _plain(name: str) -> str:
    return re.sub(r"\W", "_", name).upper()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _env(written: Any) -> Iterator[tuple[str, str]]:
    pairs = [(str(k), _text(v)) for k, v in _mapping(written).items()]
    for entry in written if isinstance(written, list) else ():
        if isinstance(entry, Mapping):
            pairs += [(str(k), _text(v)) for k, v in entry.items()]
        else:
            name, _, value = str(entry).partition("=")
            pairs.append((name.strip(), value))
    yield from ((name, value) for name, value in pairs if _NAME.fullmatch(name))


def _known(config: Mapping[str, Any], texts: _Texts) -> Iterator[tuple[str, str]]:
    """What has words in it that are not known here has no value, so that it is asked for."""
    for name, value in _env(config.get("env")):
        text = texts.written(value, name)
        if not is_reserved(name) and not any(left in text for left in texts.left):
            yield name, text


def _routes(config: Mapping[str, Any], texts: _Texts) -> Iterator[WantedRoute]:
    for domain in sequence(config.get("domains")):
        if not isinstance(domain, Mapping) or not domain.get("serviceName"):
            continue
        text = texts.written(str(domain.get("host") or ""), "main")
        port, path = domain.get("port"), str(domain.get("path") or "/")
        alone = _OWN.fullmatch(text)
        id_ = alone[1].removeprefix(HOST) if alone else _plain(text) if hosts_in(text) else "MAIN"
        host = text if not alone and hosts_in(text) else ""
        yield WantedRoute(str(domain["serviceName"]), id_, port if isinstance(port, int) else 0, path, host)


def _files(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(path below `files`, content); what has no content is a folder for data."""
    for mount in sequence(config.get("mounts")):
        if isinstance(mount, Mapping) and mount.get("filePath") and mount.get("content"):
            path = inside(".", str(mount["filePath"]).lstrip("/"))
            if path not in (None, "."):
                yield str(path), str(mount["content"])


def _placed(files: Mapping[str, str], folder: str) -> Iterator[tuple[str, str]]:
    for path, text in files.items():
        place = inside(folder, f"files/{path}")
        if place:
            yield place, text


def _binds(document: Document, secret: Mapping[str, str]) -> Translation:
    """`../files` lies in the project; a file with a generated value in it is given as a config, and never lies open."""
    edits: list[Edit] = []
    keys = {path: f"template-{i}" for i, path in enumerate(secret)}
    used: dict[str, None] = {}
    for service, written in entries(document.data, "services"):
        at = ("services", service)
        grants = len(sequence(written.get("configs")))
        for index, entry in enumerate(sequence(written.get("volumes"))):
            source, target = _bind(entry)
            if not source:
                continue
            inner = _FILES.sub("", source).strip("/")
            whole = [p for p in secret if p == inner]
            for path in whole or [p for p in secret if not inner or p.startswith(f"{inner}/")]:
                place = target if whole else f"{target.rstrip('/')}/{path.removeprefix(inner).lstrip('/')}"
                edits.append(Edit((*at, "configs", grants), {"source": keys[path], "target": place}))
                used[path], grants = None, grants + 1
            if whole:
                edits.append(Edit((*at, "volumes", index), REMOVED))
            elif isinstance(entry, str):
                edits.append(Edit((*at, "volumes", index), _FILES.sub("./files", entry, count=1)))
            else:
                edits.append(Edit((*at, "volumes", index, "source"), _FILES.sub("./files", source)))
    edits += [Edit(("configs", keys[path]), {"content": _escaped(secret[path])}) for path in used]
    return Translation(edits=tuple(edits))


def _bind(entry: Any) -> tuple[str, str]:
    """(source, target) of a bind below `../files`; ("", "") for anything else."""
    if isinstance(entry, Mapping):
        source = str(entry.get("source") or "")
        return (source, str(entry.get("target") or "")) if _FILES.match(source) else ("", "")
    match = _SHORT.fullmatch(str(entry))
    return (match[1], match[2]) if match else ("", "")


def _escaped(text: str) -> str:
    """So that Compose puts in windlass's own variables and nothing else."""
    return re.sub(r"\$\$\{(DOKPLOY_\w+)\}", r"${\1}", text.replace("$", "$$"))
