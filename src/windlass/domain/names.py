"""One validator per kind of field; each returns the value in its one true spelling, or says what is wrong with it."""

from __future__ import annotations

import ipaddress
import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from windlass.domain.errors import Refused, Usage

PRODUCTION = "production"

_APP = re.compile(r"[a-z][a-z0-9-]{0,39}")
_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{0,19}")
_GENERATION_END = re.compile(r"-g[0-9]+$")
_SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PROFILE = re.compile(r"\*|[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
# Also what turns the direction of writing or ends a line for some readers and not for others: a name is what is shown.
_UNSEEN = r"\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
_CONTROL = re.compile(rf"[\x00-\x1f{_UNSEEN}]")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_IMAGE = re.compile(
    r"(?:(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9.-]+(?=:[0-9]+/)|\[[0-9a-fA-F:]+\])(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_SCP_LIKE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:(?:[^-/:].*|/.*)")
_SSH_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_REF_FORBIDDEN = re.compile(rf"[\x00-\x20{_UNSEEN}" + r"~^:?*\[\\`$'\"|&;<>(){}!]|\.\.|@\{|//")

_LONGEST_URL = 2000
_LONGEST_PATH = 1000
_LONGEST_PART = 255  # bytes; no file system takes more
_LONGEST_VARIABLE = 255
_LONGEST_WORD = 128 * 1024 - 1  # bytes; the kernel takes no longer one

# Names that steer windlass's own tools; as an app's variable they would be a way in.
_RESERVED_PREFIXES = ("LD_", "DOCKER_", "COMPOSE_", "BUILDKIT_", "BUILDX_", "GIT_CONFIG", "GIT_SSH", "GIT_TRACE")
_RESERVED = frozenset(
    {
        "GIT_ALLOW_PROTOCOL",
        "GIT_ASKPASS",
        "GIT_DIR",
        "GIT_EDITOR",
        "GIT_EXEC_PATH",
        "GIT_EXTERNAL_DIFF",
        "GIT_PAGER",
        "GIT_PROXY_COMMAND",
        "GIT_TEMPLATE_DIR",
        "GIT_TERMINAL_PROMPT",
        "GIT_WORK_TREE",
    }
)
_NOT_RESERVED = ("DOCKER_INFLUXDB_",)  # what the official image of InfluxDB is configured with


def app_name(text: str) -> str:
    """`shop` or `shop@staging`; `shop@production` is `shop`. Raises Usage app_name_invalid or environment_invalid."""
    name, at, environment = text.partition("@")
    if not _APP.fullmatch(name) or _ambiguous(name):
        raise Usage(
            f"{name!r} cannot be the name of an app: a small letter, then small letters, digits and single '-',"
            " at most 40, not ending in -g<number>",
            code="app_name_invalid",
            hint="give another name with --app NAME or `name:` in windlass.yaml",
        )
    if not at:
        return name
    if environment_name(environment) == PRODUCTION:
        return name
    return f"{name}@{environment}"


def environment_name(text: str) -> str:
    if not _ENVIRONMENT.fullmatch(text) or _ambiguous(text):
        raise Usage(
            f"{text!r} cannot be the name of an environment: a small letter, then small letters, digits and single"
            " '-', at most 20, not ending in -g<number>",
            code="environment_invalid",
        )
    return text


def _ambiguous(name: str) -> bool:
    """`--` joins app and environment, `-g<n>` marks a generation in Docker's names."""
    return "--" in name or bool(_GENERATION_END.search(name))


def docker_name(app: str) -> str:
    """The app's name in Docker's names: `shop@staging` is `shop--staging`."""
    return app_name(app).replace("@", "--")


def shown(app: str) -> str:
    """The app's name as people write it: `shop--staging` is shop@staging."""
    return app.replace("--", "@")


def split_app(app: str) -> tuple[str, str]:
    """Name and environment."""
    name, _, environment = app_name(app).partition("@")
    return name, environment or PRODUCTION


def service_name(text: str) -> str:
    if not _SERVICE.fullmatch(text):
        raise Usage(
            f"{text!r} cannot be the name of a service: letters, digits, '.', '_' and '-', at most 128",
            code="service_name_invalid",
        )
    return text


def variable_name(text: str) -> str:
    """Raises Usage variable_name_invalid, Refused variable_reserved."""
    if len(text) > _LONGEST_VARIABLE or not _VARIABLE.fullmatch(text):
        raise Usage(
            f"{text[:80]!r} cannot be the name of a variable: letters, digits and '_', not beginning with a digit,"
            f" at most {_LONGEST_VARIABLE}",
            code="variable_name_invalid",
        )
    if is_reserved(text):
        raise Refused(
            f"{text} steers windlass's own tools (Docker, Compose, Git, the loader) and cannot be an app's variable",
            code="variable_reserved",
            hint=f"write it in the Compose file as a fixed value, or use another name, such as APP_{text}",
        )
    return text


def is_reserved(name: str) -> bool:
    upper = name.upper()
    if upper.startswith(_NOT_RESERVED):
        return False
    return upper in _RESERVED or upper.startswith(_RESERVED_PREFIXES)


def profile_name(text: str) -> str:
    """A profile of the Compose file, or `*` for all. Raises Usage profile_invalid."""
    if not _PROFILE.fullmatch(text):
        raise Usage(
            f"{text[:80]!r} cannot be the name of a profile: letters, digits, '.', '_' and '-', at most 128",
            code="profile_invalid",
        )
    return text


def commit_id(text: str) -> str:
    """The number of a commit, of which the first 7 digits are enough. Raises Usage commit_invalid."""
    if not _COMMIT.fullmatch(text):
        raise Usage(f"{text[:80]!r} is not the number of a commit: 7 to 64 digits 0-9 and a-f", code="commit_invalid")
    return text


def command_word(text: str) -> str:
    """One word of a command, as the kernel would take it. Raises Usage command_invalid."""
    wrong = _wrong_text(text)
    if not wrong and len(text.encode()) > _LONGEST_WORD:
        wrong = f"is longer than {_LONGEST_WORD} bytes"
    if wrong:
        raise Usage(f"a word of the command {wrong}, so no process can be given it", code="command_invalid")
    return text


def variable_value(name: str, text: str) -> str:
    """What an environment can hold, byte for byte. Raises Usage value_invalid, which does not repeat the value."""
    wrong = _wrong_text(text)
    if wrong:
        raise Usage(
            f"the value of {name} {wrong}, which no environment can hold", code="value_invalid", hint="remove it"
        )
    return text


def _wrong_text(text: str) -> str:
    if "\0" in text:
        return "contains a NUL byte"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not valid UTF-8 text"
    return ""


def git_url(text: str, *, allow_file: bool = False, allow_http: bool = False) -> str:
    """https://, ssh:// or git@host:path; `allow_http`: http:// not only on this machine; `allow_file`: local paths.

    Raises Refused git_url_invalid. User and password in it are allowed; see `without_credentials`.
    """
    wrong = _wrong_git_url(text, allow_file=allow_file, allow_http=allow_http)
    if wrong:
        raise Refused(
            f"the Git address {without_credentials(text)[:200]!r} {wrong}",
            code="git_url_invalid",
            hint="use https://host/path.git, ssh://git@host/path.git or git@host:path.git",
        )
    return text


def _wrong_git_url(text: str, *, allow_file: bool, allow_http: bool) -> str:
    if not text or text.startswith("-"):
        return "is empty or begins with '-'"
    if len(text) > _LONGEST_URL:
        return f"is longer than {_LONGEST_URL} characters"
    if _CONTROL.search(text) or " " in text:
        return "contains a space or a control character"
    if re.match(r"[A-Za-z0-9+.-]*::", text):
        return "names a helper program, which is not allowed"
    if "://" not in text:
        return _wrong_git_path(text, allow_file)
    try:
        parts = urlsplit(text)
        name, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is not a valid address"
    if parts.scheme == "file":
        return "" if allow_file and not parts.netloc else "is a local path, which is not allowed here"
    if parts.scheme == "ssh" and parts.username and not _SSH_USER.fullmatch(parts.username):
        return "has no valid user"
    return _wrong_git_host(parts.scheme, name, allow_http)


def _wrong_git_host(scheme: str, name: str, allow_http: bool) -> str:
    if scheme == "http" and not (allow_http or _is_loopback(name)):
        return "is not encrypted (http://)"
    if scheme not in ("https", "ssh", "http"):
        return f"uses {scheme}://, which is not allowed"
    if not name or name.startswith("-") or not re.fullmatch(r"[A-Za-z0-9._:-]+", name):
        return "has no valid host"
    return ""


def _wrong_git_path(text: str, allow_file: bool) -> str:
    if _SCP_LIKE.fullmatch(text):
        return ""
    if text.startswith("/"):
        return "" if allow_file else "is a local path, which is not allowed here"
    return "is neither a URL nor user@host:path"


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def without_credentials(url: str) -> str:
    """The address without password; an https address also without user. For records, messages and argv."""
    if "://" not in url:
        return url
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, server = authority.rpartition("@")
    if not at:
        return url
    keep = user.partition(":")[0] + "@" if scheme == "ssh" else ""
    return f"{scheme}://{keep}{server}{slash}{path}"


def credentials(url: str) -> tuple[str, str]:
    """User and password in an http(s) address, decoded; ("", "") when there are none."""
    if not url.startswith(("https://", "http://")):
        return "", ""
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    if not at:
        return "", ""
    name, _, password = user.partition(":")
    return unquote(name), unquote(password)


def git_ref(text: str) -> str:
    """A branch, tag or commit, by the rules of `git check-ref-format` and tighter. Raises Refused git_ref_invalid."""
    parts = text.split("/")
    wrong = (
        not text
        or len(text) > 250
        or text == "@"
        or text.startswith("-")
        or text.endswith((".", "/"))
        or _REF_FORBIDDEN.search(text) is not None
        or any(not p or p.startswith((".", "-")) or p.endswith(".lock") for p in parts)
    )
    if wrong:
        raise Refused(
            f"{text[:200]!r} cannot be the name of a branch, tag or commit",
            code="git_ref_invalid",
            hint="give a branch, a tag or a commit with --ref",
        )
    return text


def relative_path(text: str) -> str:
    """A path inside a folder, in its shortest spelling (`./a//b` is `a/b`). Raises Refused path_invalid."""
    if not text or _CONTROL.search(text):
        raise Refused(f"{text[:200]!r} is not a path: it is empty or contains control characters", code="path_invalid")
    path = PurePosixPath(text)
    if len(text) > _LONGEST_PATH or any(len(part.encode()) > _LONGEST_PART for part in path.parts):
        raise Refused(f"the path {text[:80]!r}… is too long", code="path_invalid", hint="shorten it")
    if path.is_absolute() or ".." in path.parts or text.startswith("~"):
        raise Refused(
            f"the path {text!r} leads outside the project's folder",
            code="path_invalid",
            hint="give a path relative to the project's folder, without '..'",
        )
    return str(path)


def compose_path(text: str) -> str:
    """Like `relative_path`; a leading '/' means the top of the project, as other tools write it."""
    return relative_path(text.lstrip("/") if text.strip("/") else text)


def image_ref(text: str) -> str:
    """`[host[:port]/]name[:tag][@sha256:…]`. Raises Refused image_invalid."""
    if len(text) > 500 or not _IMAGE.fullmatch(text):
        raise Refused(
            f"{text!r} is not the name of an image", code="image_invalid", hint="write it as NAME[:TAG][@DIGEST]"
        )
    return text


def host(text: str) -> str:
    """A DNS name, in small letters. Raises Usage host_invalid."""
    name = text.lower().removesuffix(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise Usage(
            f"{text!r} is not a host name: letters, digits and '-' between dots",
            code="host_invalid",
            hint="names with other letters are written in their xn-- form",
        )
    return name


def wildcard_host(text: str) -> str:
    """`*.example.com`: any one name below it."""
    if not text.startswith("*."):
        raise Usage(f"{text!r} is not a wildcard host: it begins with '*.'", code="host_invalid")
    return "*." + host(text[2:])


def cidr(text: str) -> str:
    """An IPv4 subnet such as 10.213.0.0/16. Raises Usage cidr_invalid."""
    try:
        return str(ipaddress.IPv4Network(text))
    except ValueError as error:
        raise Usage(f"{text!r} is not a subnet such as 10.213.0.0/16: {error}", code="cidr_invalid") from error
