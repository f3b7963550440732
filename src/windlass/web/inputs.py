"""What endpoints are given: the outside world, and names that are valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from windlass.domain.names import app_name
from windlass.domain.paging import LARGEST, LONGEST_CURSOR, Page
from windlass.domain.rights import Caller
from windlass.ports.outside import Outside
from windlass.usecases.logins import Unauthenticated
from windlass.web.guard import asker_of

Document = dict[str, Any]


async def _outside(request: Request) -> Outside:
    found: Outside = request.app.state.outside
    return found


async def _app(app: Annotated[str, Path(description="Name of the app, or NAME@ENVIRONMENT")]) -> str:
    return app_name(app)


async def _who(request: Request) -> Caller:
    caller = asker_of(request.scope).caller
    if caller is None:
        raise Unauthenticated("this needs a token, or a log-in")
    return caller


@dataclass(frozen=True)
class Paging:
    """Which page of a list is asked for; `told` adds the address of the next one to the answer."""

    limit: int | None
    cursor: str
    request: Request
    response: Response

    def page(self, usual: int = LARGEST) -> Page:
        """`usual`: how many items there are when nothing is said."""
        return Page(self.limit or usual, self.cursor)

    def told(self, document: Document) -> Document:
        if document["next"] is not None:
            query = urlencode({**self.request.query_params, "cursor": document["next"]})
            self.response.headers["link"] = f'<{self.request.url.path}?{query}>; rel="next"'
        return document

    def answer(self, document: Document) -> Response:
        """The same, written in the thread that made it: a long list is not handed on to be checked and written."""
        answer = JSONResponse(self.told(document))
        if "link" in self.response.headers:
            answer.headers["link"] = self.response.headers["link"]
        return answer


async def _paging(
    request: Request,
    response: Response,
    limit: Annotated[int | None, Query(ge=1, le=LARGEST, description="Items of a page")] = None,
    cursor: Annotated[
        str, Query(max_length=LONGEST_CURSOR, pattern="^[!-~]*$", description="`next` of the page before")
    ] = "",
) -> Paging:
    return Paging(limit, cursor, request, response)


Pages = Annotated[Paging, Depends(_paging)]
World = Annotated[Outside, Depends(_outside)]
App = Annotated[str, Depends(_app)]
Who = Annotated[Caller, Depends(_who)]
