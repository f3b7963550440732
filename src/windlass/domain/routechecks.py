"""One validator per kind of value in a route's options; each returns the value, or says what is wrong with it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

from windlass.domain import names
from windlass.domain.errors import Detail, Usage, WindlassError
from windlass.domain.routeoptions import Condition, ErrorPage, Redirect, RouteOptions

LONGEST_RETRY = 50
LARGEST_BODY = 1 << 40
LONGEST_S = 86_400.0
MOST_REQUESTS = 1_000_000_000

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_|~-]{1,128}")
_VALUE = re.compile(r"[\x20-\x7e]{0,4096}")
_PREFIX = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{1,1023}")
_ORIGIN = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://(?:\*\.)?[A-Za-z0-9.-]+(?::[0-9]{1,5})?")
_PAGE = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@%/?-]|\{status\}|\{url\})*")
_STATUS = re.compile(r"([45][0-9]{2})(?:-([45][0-9]{2}))?")
_ARGUMENT = re.compile(r"[\x20-\x5f\x61-\x7e]{1,1024}")
_METHOD = re.compile(r"[A-Z]{1,20}")
_BEYOND_THE_EDGE = re.compile(r"\(\?(?!:)|\\[1-9]|\{\{")  # what Python's expressions know and the edge's do not
_USER = re.compile(
    r"[^:\s\x00-\x1f\x7f`{}]{1,128}:(?:\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}"
    r"|\$(?:apr1|1)\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22}|\{SHA\}[A-Za-z0-9+/]{27}=)"
)
# What the edge itself says of a connection.
_EDGE_HEADERS = frozenset(
    {
        "connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
        "upgrade",
    }
)  # fmt: skip


def header_name(text: str) -> str:
    """Raises Usage route_value_invalid, as all of these do."""
    if text.lower() in _EDGE_HEADERS:
        raise _wrong(f"the header {text} belongs to the connection, and is the edge's own affair")
    return _matching(_TOKEN, text, "is not the name of a header")


def header_value(text: str) -> str:
    return _matching(_VALUE, text, "is not the value of a header: one line of printable ASCII characters")


def prefix(text: str) -> str:
    return _matching(_PREFIX, text, "is not a path such as /api: it begins with / and has no spaces or backticks")


def origin(text: str) -> str:
    return _matching(_ORIGIN, text, "is not an origin such as https://shop.example.com, or *")


def cookie_name(text: str) -> str:
    return _matching(_TOKEN, text, "is not the name of a cookie")


def method(text: str) -> str:
    return _matching(_METHOD, text, "is not a method such as GET")


def page_path(text: str) -> str:
    said = "is not the path of a page, such as /errors/{status}.html"
    return _matching(_PAGE, text, said)


def statuses(text: str) -> str:
    match = _STATUS.fullmatch(text)
    if match is None or int(match.group(2) or 599) < int(match.group(1)):
        raise _wrong(f"{text[:80]!r} is not a status such as 404, or a range such as 500-599")
    return text


def user(text: str) -> str:
    """name:hash. The message repeats nothing of it: it may be a password in clear."""
    if not _USER.fullmatch(text):
        said = "a user is written as name:hash with a hash of bcrypt or apr1, never with the password itself"
        raise Usage(said, code="route_value_invalid", hint="make it with: htpasswd -nB NAME")
    return text


def pattern(text: str) -> str:
    """A regular expression that both Python and the edge understand."""
    try:
        re.compile(text)
    except re.error as error:
        raise _wrong(f"{text[:80]!r} is not a regular expression: {error}") from error
    if _BEYOND_THE_EDGE.search(text):
        raise _wrong(f"{text[:80]!r} uses what the edge's regular expressions do not know")
    return header_value(text)


def target(text: str) -> str:
    if "{{" in text:
        raise _wrong("a template is no address")
    return header_value(text)


def wrong_options(options: RouteOptions) -> Iterator[Detail]:
    """Everything that could break out of its place in the edge's document, whoever wrote it."""
    for place, check, values in _checked(options):
        for value in values:
            try:
                check(value)
            except WindlassError as error:
                yield Detail(error.code, place, error.message, error.hint)
    for place, number, limit in _numbers(options):
        if not 0 <= number <= limit:
            yield Detail("route_value_invalid", place, f"{number:g} is not a number from 0 to {limit:g}")


_Check = tuple[str, Callable[[str], object], tuple[str, ...]]


def _checked(options: RouteOptions) -> Iterator[_Check]:
    yield "strip_prefix", prefix, options.strip
    yield "add_prefix", prefix, (options.add,) if options.add else ()
    for name, pairs in (("request", options.request_headers), ("response", options.response_headers)):
        yield f"headers.{name}", header_name, tuple(key for key, _ in pairs)
        yield f"headers.{name}", header_value, tuple(value for _, value in pairs)
    for condition in options.conditions:
        yield "match", _argument_check(condition), condition.arguments
    for page in options.errors:
        yield from _page(page)
    if options.redirect is not None:
        yield from _redirect(options.redirect)
    yield from _who(options)
    if options.cors is not None:
        yield "cors.origins", origin, options.cors.origins
        yield "cors.methods", method, options.cors.methods
        yield "cors.headers", _token_or_all, (*options.cors.headers, *options.cors.exposed)
    if options.sticky is not None and options.sticky.cookie:
        yield "sticky.cookie", cookie_name, (options.sticky.cookie,)


def _who(options: RouteOptions) -> Iterator[_Check]:
    if options.auth is not None:
        yield "basic_auth.users", user, options.auth.users
        yield "basic_auth.realm", header_value, (options.auth.realm,)
    if options.allowed is not None:
        yield "allow.from", network, options.allowed.networks


def _page(page: ErrorPage) -> Iterator[_Check]:
    yield "errors.status", statuses, page.statuses
    yield "errors.path", page_path, (page.path,)
    yield "errors.service", names.service_name, (page.service,)


def _redirect(redirect: Redirect) -> Iterator[_Check]:
    if redirect.host:
        yield "redirect", names.host, (redirect.host,)
    else:
        yield "redirect.regex", pattern, (redirect.pattern,)
        yield "redirect.replacement", target, (redirect.target,)


def _argument_check(condition: Condition) -> Callable[[str], object]:
    by_matcher: dict[str, Callable[[str], object]] = {"Method": method, "ClientIP": network, "Host": names.host}
    return by_matcher.get(condition.matcher, _argument)


def _argument(text: str) -> str:
    if "{{" in text:
        raise _wrong("a template is no value")
    return _matching(_ARGUMENT, text, "cannot stand in a rule: printable ASCII characters without backticks")


def _token_or_all(text: str) -> str:
    return text if text == "*" else _matching(_TOKEN, text, "is not the name of a header")


def network(text: str) -> str:
    """An address or a network, in its one true spelling."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise _wrong(f"{text[:80]!r} is not an address or a network such as 10.0.0.0/8") from error


def _numbers(options: RouteOptions) -> Iterator[tuple[str, float, float]]:
    yield "body_limit", options.body_bytes, LARGEST_BODY
    yield "timeout", options.answer_within_s, LONGEST_S
    if options.rate is not None:
        yield "rate_limit.requests", options.rate.requests, MOST_REQUESTS
        yield "rate_limit.burst", options.rate.burst, MOST_REQUESTS
        yield "rate_limit.per", options.rate.per_s, LONGEST_S
    if options.retries is not None:
        yield "retry.attempts", options.retries.attempts, LONGEST_RETRY
        yield "retry.every", options.retries.every_s, LONGEST_S


def _matching(wanted: re.Pattern[str], text: str, wrong: str) -> str:
    if not wanted.fullmatch(text):
        raise _wrong(f"{text[:80]!r} {wrong}")
    return text


def _wrong(said: str) -> Usage:
    return Usage(said, code="route_value_invalid")
