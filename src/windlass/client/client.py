"""Everything that windlass does, from Python: `with Client() as windlass: windlass.deploy("shop", "./shop")`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from windlass.client.calls import Calls, Query, Request, Write, new_key, url_of
from windlass.client.messages import Following, Message
from windlass.client.target import Target, found_target
from windlass.domain.errors import Failed
from windlass.domain.sources import image_of
from windlass.wire import EVENT_END
from windlass.wire.bodies import DeployBody, NamesBody, RollbackBody, ValuesBody

PATIENCE_S = 30.0

Document = dict[str, Any]


class Client:
    """Without arguments the windlass that WINDLASS_URL names, else the one of this machine.

    `url` and `token`: over https. `home`: over the unix socket of that windlass. Every method raises the WindlassError
    that windlass raised, or OutOfReach when it does not answer. An answer that is lost on its way is asked for again
    for `patience_s`: reads, and whatever begins something, which is begun once all the same.

    What has no method of its own is reached by `get` and `call`, with the paths of /api/openapi.json.
    """

    def __init__(
        self, url: str = "", token: str = "", *, home: Path | str | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        self._calls = Calls(found_target(url, token, home), patience_s)

    @classmethod
    def at(cls, target: Target, patience_s: float = PATIENCE_S) -> Client:
        """Of exactly this target, whatever the environment says."""
        made = cls.__new__(cls)
        made._calls = Calls(target, patience_s)
        return made

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the streams that are still open."""
        self._calls.close()

    # ---- any route --------------------------------------------------------------------------------------------------

    def get(self, *path: str, **query: str | int | None) -> Document:
        """`get("apps", "shop", "logs", tail=10)`."""
        return self.call("GET", path, query=query)

    def call(
        self, method: str, path: tuple[str, ...], body: Mapping[str, Any] | None = None, query: Query | None = None
    ) -> Document:
        """`call("POST", ("apps", "shop", "restart"), {"service": "web"})`."""
        payload = None if body is None else json.dumps(body).encode()
        key = new_key() if method == "POST" else ""
        return self._calls.document(Request(method, url_of(path, query), payload, key=key))

    def items(self, *path: str, **query: str | int | None) -> list[Document]:
        """Of a list, through all of its pages."""
        found: list[Document] = []
        while True:
            page = self.get(*path, **query)
            found += page.get("items") or []
            if not page.get("next"):
                return found
            query["cursor"] = str(page["next"])

    def upload(self, path: tuple[str, ...], parameters: Mapping[str, Any], write: Write) -> Document:
        """Send parameters and a file, which `write` writes while it is sent, and again if it has to be sent again."""
        body = json.dumps(parameters).encode()
        return self._calls.document(Request("POST", url_of(path), body, write, new_key()))

    def stream(self, path: tuple[str, ...], query: Query | None = None, last_id: str = "") -> Iterator[Message]:
        """Events until the other end closes; raises OutOfReach when the connection breaks."""
        return self._calls.stream(url_of(path, query), last_id)

    # ---- looking ----------------------------------------------------------------------------------------------------

    def apps(self) -> list[Document]:
        return self.items("apps")

    def status(self, app: str) -> Document:
        return self.get("apps", app)

    def releases(self, app: str) -> list[Document]:
        """Newest first."""
        return self.items("apps", app, "releases")

    def deployment(self, deployment: str) -> Document:
        """Status, steps and error of a deployment, by its id."""
        return self.get("deployments", deployment)

    # ---- deploying --------------------------------------------------------------------------------------------------

    def deploy(self, app: str, source: Path | str | None = None, **options: Any) -> Document:
        """Queue a deployment of a folder, a Git address or `image:NAME`; None: of the app's own source.

        `options` are the fields of wire.bodies.DeployBody: ref, values, force and so on. It answers at once; `wait` and
        `events` take the answer's `deployment`.
        """
        body, folder = _wish(source, options)
        return self.submit(app, "deployments", body, folder)

    def plan(self, app: str, source: Path | str | None = None, **options: Any) -> Document:
        """What a deploy would do and why. Raises Refused with every reason why it would be refused."""
        body, folder = _wish(source, options)
        return self.submit(app, "plan", body, folder)

    def submit(self, app: str, verb: str, body: DeployBody, folder: Path | None = None) -> Document:
        """`verb`: deployments or plan. The folder is sent with it."""
        path = ("apps", app, verb)
        if folder is None:
            return self.call("POST", path, body.as_dict())
        from windlass.client.archive import check_folder, write_archive

        check_folder(folder)
        write = partial(write_archive, folder)
        return self.upload(path, body.as_dict(), write)

    def rollback(self, app: str, to: int | None = None) -> Document:
        """Queue a deployment of release `to`, or of the one that was live before."""
        return self.call("POST", ("apps", app, "rollback"), RollbackBody(to).as_dict())

    def cancel(self, app: str) -> Document:
        return self.call("POST", ("apps", app, "cancel"), {})

    def events(self, deployment: str, after: str = "") -> Iterator[Message]:
        """What happens in a deployment until its end, each event once, through restarts of windlass.

        The last message is `end`, with the deployment's document. `after`: the id of an event that is known already.
        """
        return self.following(deployment, last_id=after).messages()

    def following(self, deployment: str, **options: Any) -> Following:
        """`events`, with the options of Following."""
        path = ("deployments", deployment, "events")
        return Following(lambda last: self.stream(path, last_id=last), **options)

    def wait(self, deployment: str) -> Document:
        """The deployment when it has ended, whichever way: `status` says which."""
        for message in self.events(deployment):
            if message.kind == EVENT_END and isinstance(message.data, dict):
                return message.data
        raise Failed(f"the stream of the deployment {deployment} ended without a word", code="bad_answer")

    # ---- variables --------------------------------------------------------------------------------------------------

    def set_variables(self, app: str, values: Mapping[str, str]) -> Document:
        """Used by the next deploy; the others stay."""
        return self.call("PUT", ("apps", app, "env"), ValuesBody(dict(values)).as_dict())

    def unset_variables(self, app: str, names: Sequence[str]) -> Document:
        return self.call("POST", ("apps", app, "env", "unset"), NamesBody(list(names)).as_dict())


def _wish(source: Path | str | None, options: Mapping[str, Any]) -> tuple[DeployBody, Path | None]:
    if source is None:
        return DeployBody(source_kind="source", **options), None
    word = str(source)
    if isinstance(source, str) and image_of(word):
        return DeployBody(source_kind="image", url=image_of(word), **options), None
    if isinstance(source, Path) or Path(word).is_dir():
        return DeployBody(**options), Path(word)
    return DeployBody(source_kind="git", url=word, **options), None
