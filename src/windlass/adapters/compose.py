"""Docker Compose, by its own program: what it is told (pure functions), and what its answers mean."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from windlass.adapters import composeenv, composefiles, composereasons
from windlass.adapters.composebuild import BuildLog
from windlass.adapters.process import Command, Result, first_existing, memory, never, run, surroundings
from windlass.domain.errors import Detail, Failed, OutOfReach, Refused, refuse
from windlass.domain.names import profile_name
from windlass.ports.sources import BuildFailed, ComposeSource, ComposeVariable, Line, Resolved

_PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
_SHOWN_LINES = 20
_PULLS_AT_ONCE = 4

# The folder's .env is never read; include and extends never reach over the network.
_CLOSED = {
    "COMPOSE_DISABLE_ENV_FILE": "1",
    "COMPOSE_EXPERIMENTAL_GIT_REMOTE": "false",
    "COMPOSE_EXPERIMENTAL_OCI_REMOTE": "false",
}
_BUILDING = {"DOCKER_BUILDKIT": "1", "COMPOSE_BAKE": "false"}
_CLIENT = ("DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY")


@dataclass(frozen=True)
class ComposeLimits:
    """Seconds after which each kind of call is ended."""

    config_s: float = 60.0
    build_s: float = 3600.0
    pull_s: float = 1800.0
    create_s: float = 300.0


def find_program() -> Path:
    """The Compose plugin in Docker's folders, else a `docker-compose`. Raises OutOfReach compose_not_installed."""
    own = os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
    folders = [Path(own) / "cli-plugins", *map(Path, _PLUGIN_FOLDERS), Path(sys.executable).parent]
    found = first_existing([folder / "docker-compose" for folder in folders])
    if found is None:
        on_path = shutil.which("docker-compose")
        found = Path(on_path) if on_path else None
    if found is None:
        raise OutOfReach(
            "Docker Compose is not installed on this machine",
            code="compose_not_installed",
            hint="install the plugin docker-compose-plugin, 2.24 or newer",
        )
    return found


def source_argv(project: str, directory: Path, files: Sequence[str], profiles: Sequence[str]) -> tuple[str, ...]:
    """How every call about a user's folder begins. Paths in the files are relative to the first one, as always."""
    base = directory / Path(files[0]).parent
    return (
        *("--ansi", "never", "-p", project, "--project-directory", str(base), "--env-file", memory(0)),
        *(word for profile in profiles for word in ("--profile", profile_name(profile))),
        *(word for name in files for word in ("-f", str(directory / name))),
    )


def model_argv(project: str, directory: Path) -> tuple[str, ...]:
    """How every call about a derived model, given on standard input, begins."""
    return (
        *("--ansi", "never", "--progress", "plain", "-p", project, "--project-directory", str(directory)),
        *("--env-file", memory(0), "-f", "-"),
    )


def config_argv(*, env_files: bool = True, interpolate: bool = True, consistency: bool = True) -> tuple[str, ...]:
    flags = [("--no-env-resolution", env_files), ("--no-interpolate", interpolate), ("--no-consistency", consistency)]
    return ("config", "--format", "json", *(flag for flag, wanted in flags if not wanted))


def create_argv(services: Sequence[str], recreate: bool) -> tuple[str, ...]:
    policy = "--force-recreate" if recreate else "--no-recreate"
    return ("create", "--no-build", "--pull", "never", policy, "--", *services)


def without_dependencies(model: Mapping[str, Any]) -> dict[str, Any]:
    """The model, so that a call about one service touches no other."""
    services = {n: {k: v for k, v in s.items() if k != "depends_on"} for n, s in model["services"].items()}
    return {**model, "services": services}


def build_secrets(model: Mapping[str, Any], values: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """BuildKit takes `environment:` secrets from Compose's own environment: there they get names of ours.

    One that nobody gave a value gets such a name too, and so none of what Compose itself was started with.
    """
    environment: dict[str, str] = {}
    secrets = {}
    for number, (key, secret) in enumerate((model.get("secrets") or {}).items()):
        variable = str((secret or {}).get("environment") or "")
        if variable:
            name = f"WINDLASS_SECRET_{number}"
            environment |= {name: values[variable]} if variable in values else {}
            secret = {**secret, "environment": name}
        secrets[key] = secret
    return ({**model, "secrets": secrets} if secrets else dict(model)), environment


class ComposeProgram:
    """ports.sources.Compose by the plugin. `docker_host` is where the engine is."""

    def __init__(self, docker_host: str, *, program: Path | None = None, limits: ComposeLimits | None = None) -> None:
        self._docker_host = docker_host
        self._program = program
        self._limits = limits or ComposeLimits()

    def version(self) -> str:
        try:
            return self._run(Command(("version", "--short"), environment=_CLOSED, timeout_s=10.0)).text.strip()
        except TimeoutError as error:
            raise OutOfReach(str(error), code="compose_timed_out") from error

    def read_env(self, text: str) -> dict[str, str]:
        """Values by Compose's own rules. Raises Refused env_file_invalid, with the line's number but not its text."""
        argv = ("-p", "read", "--env-file", memory(0), "-f", memory(1), *config_argv())
        files = (b"", composeenv.READER)
        try:
            result = self._run(Command(argv, Path("/"), _CLOSED, text.encode(), files, self._limits.config_s))
        except TimeoutError as error:
            raise Failed(f"the environment file was not read: {error}", code="compose_timed_out") from error
        if result.code:
            said = composeenv.complaint(" ".join(result.errors))
            raise Refused(f"the environment file cannot be read: {said}", code="env_file_invalid")
        return composeenv.read_back(result.text)

    def variables(self, source: ComposeSource) -> list[ComposeVariable]:
        settled = self._settled(source)
        return composefiles.as_variables(composefiles.variable_uses(settled.directory, settled.files))

    def resolve(self, source: ComposeSource, *, env_files: bool = True, interpolate: bool = True) -> Resolved:
        settled = self._settled(source)
        result = self._config(settled, config_argv(env_files=env_files, interpolate=interpolate))
        if result.code:
            raise refuse(self._reasons(settled, result), hint="nothing was touched; correct it and deploy again")
        said = composereasons.warnings(result.errors)
        return Resolved(json.loads(result.stdout), composereasons.unset(said), said)

    def build(
        self,
        project: str,
        model: Mapping[str, Any],
        directory: Path,
        on_line: Line,
        *,
        values: Mapping[str, str] | None = None,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        wanted = {name: s for name, s in model["services"].items() if s.get("build")}
        if not wanted:
            return
        whole, secrets = build_secrets({**model, "services": wanted}, values or {})
        command = replace(
            self._on_model(project, whole, directory, ("build",)),
            environment=self._environment(tools=True) | _BUILDING | secrets,
            timeout_s=self._limits.build_s,
            stdout_limit=0,
        )
        log = BuildLog(wanted)
        try:
            result = self._run(command, log.watching(on_line), cancelled)
        except TimeoutError as error:
            raise BuildFailed(log.service, [*log.lines, str(error)][-_SHOWN_LINES:]) from error
        if result.code:
            _reach(result)
            raise BuildFailed(log.service, [*log.lines][-_SHOWN_LINES:])

    def pull(
        self,
        project: str,
        model: Mapping[str, Any],
        directory: Path,
        on_line: Line,
        *,
        cancelled: Callable[[], bool] = never,
    ) -> None:
        first: dict[tuple[str, str], str] = {}
        for name, service in model["services"].items():
            if service.get("image") and not service.get("build"):
                first.setdefault((service["image"], service.get("platform", "")), name)
        shared, one_at_a_time = without_dependencies(model), threading.Lock()

        def say(line: str) -> None:
            with one_at_a_time:
                on_line(line)

        def fetch(image: str, service: str) -> Detail | None:
            command = self._on_model(project, shared, directory, ("pull", "--", service))
            command = replace(command, environment=self._environment(tools=True), timeout_s=self._limits.pull_s)
            return self._pull_one(command, image, say, cancelled)

        with ThreadPoolExecutor(_PULLS_AT_ONCE, "pull") as pool:
            answers = [pool.submit(fetch, image, service) for (image, _), service in first.items()]
        details = [detail for answer in answers if (detail := answer.result())]
        if details:
            raise refuse(details)

    def _pull_one(self, command: Command, image: str, on_line: Line, cancelled: Callable[[], bool]) -> Detail | None:
        try:
            result = self._run(command, on_line, cancelled)
        except TimeoutError as error:
            return _unavailable(image, str(error))
        if not result.code:
            return None
        _reach(result)
        return _unavailable(image, _last_words(result))

    def create(
        self, project: str, model: Mapping[str, Any], directory: Path, services: Sequence[str], recreate: bool
    ) -> None:
        if not services:
            return
        command = self._on_model(project, without_dependencies(model), directory, create_argv(services, recreate))
        try:
            result = self._run(replace(command, timeout_s=self._limits.create_s))
        except TimeoutError as error:
            raise Failed(f"the containers of {project} were not created: {error}", code="create_timed_out") from error
        if result.code:
            _reach(result)
            said = _last_words(result)
            code = next((code for words, code in _CREATE_CODES if words in said), "create_failed")
            raise Failed(f"the containers of {project} ({', '.join(services)}) were not created: {said}", code=code)

    def _settled(self, source: ComposeSource) -> ComposeSource:
        """With the files and profiles that count: those asked for, else those of the folder's .env, else by name."""
        files, profiles = source.files, source.profiles
        own = source.directory / ".env"
        if not (files and profiles) and own.is_file() and own.resolve().is_relative_to(source.directory.resolve()):
            text = own.read_text("utf-8", "replace")
            wishes = self.read_env(text) if "COMPOSE_" in text else {}
            separator = wishes.get("COMPOSE_PATH_SEPARATOR") or ":"
            files = files or tuple(n for n in wishes.get("COMPOSE_FILE", "").split(separator) if n)
            profiles = profiles or tuple(p for p in wishes.get("COMPOSE_PROFILES", "").split(",") if p)
        found = composefiles.existing(source.directory, files) if files else composefiles.discover(source.directory)
        return replace(source, files=composefiles.existing(source.directory, found), profiles=profiles)

    def _config(self, source: ComposeSource, call: tuple[str, ...]) -> Result:
        argv = (*source_argv(source.project, source.directory, source.files, source.profiles), *call)
        files = (composeenv.encode(source.values),)
        command = Command(argv, source.directory, _CLOSED, b"", files, self._limits.config_s)
        try:
            return self._run(command)
        except TimeoutError as error:
            raise Failed(f"the Compose file was not read: {error}", code="compose_timed_out") from error

    def _reasons(self, source: ComposeSource, result: Result) -> list[Detail]:
        """All reasons of the kinds that can be told apart; else the one that Compose gave."""
        first = composereasons.reason(composereasons.words(result.errors, source.directory), source.files[0])
        uses = composefiles.variable_uses(source.directory, source.files)
        found = composereasons.missing_variables(uses, source.values)
        loose = self._config(source, config_argv(env_files=False, interpolate=False, consistency=False))
        if not loose.code:
            document = json.loads(loose.stdout)
            base = source.directory / Path(source.files[0]).parent
            found += composereasons.undefined(document)
            found += composereasons.missing_env_files(document, base)
        known = {(detail.code, detail.name) for detail in found}
        covered = any(first.code == code for code, _ in known) or (found and first.code == "compose_invalid")
        return found if covered else [first, *found]

    def _on_model(self, project: str, model: Mapping[str, Any], directory: Path, call: tuple[str, ...]) -> Command:
        argv = (*model_argv(project, directory), *call)
        return Command(argv, directory, self._environment(), composeenv.as_yaml(model), (b"",))

    def _environment(self, *, tools: bool = False) -> dict[str, str]:
        """`tools`: also what credential helpers and fetching need; else a value without content in the model
        (`environment: [HOME]`) would be filled with windlass's own."""
        ssh = ("PATH", "HOME", "SSH_AUTH_SOCK") if self._docker_host.startswith("ssh://") else ()
        own = surroundings() if tools else {}
        return {**own, **surroundings(*_CLIENT, *ssh), **_CLOSED, "DOCKER_HOST": self._docker_host}

    def _run(self, command: Command, on_line: Line | None = None, cancelled: Callable[[], bool] = never) -> Result:
        self._program = self._program or find_program()
        return run(replace(command, argv=(str(self._program), *command.argv)), on_line, cancelled)


_CREATE_CODES = (
    ("port is already allocated", "port_taken"),
    ("address already in use", "port_taken"),
    ("Pool overlaps", "subnet_taken"),
    ("is already in use by container", "name_taken"),
    ("No such image", "image_missing"),
    ("network", "network_failed"),
    ("volume", "volume_failed"),
)


def _reach(result: Result) -> None:
    """Raises OutOfReach when what failed is that no engine answers."""
    said = _last_words(result)
    if "Cannot connect to the Docker daemon" in said or "error during connect" in said:
        raise OutOfReach(said, code="engine_unreachable", hint="start Docker; what runs goes on running")


def _last_words(result: Result) -> str:
    return composereasons.words([line for line in result.errors if line][-1:], Path("/nowhere"))


def _unavailable(image: str, said: str) -> Detail:
    denied = any(word in said for word in ("denied", "unauthorized", "no basic auth"))
    fix = f"log in with: docker login {image.split('/')[0]}" if denied else "check the name, or push the image first"
    return Detail("image_unavailable", image, f"the image {image} cannot be pulled: {said}", fix)
