"""One table per kind of name: what is taken, in which spelling, and what is refused with which code."""

from collections.abc import Callable

import pytest

from windlass.domain import names
from windlass.domain.errors import Refused, WindlassError

TAKEN: list[tuple[Callable[[str], str], str, str]] = [
    (names.app_name, "shop", "shop"),
    (names.app_name, "a", "a"),
    (names.app_name, "a" + "b" * 39, "a" + "b" * 39),
    (names.app_name, "shop-2-g", "shop-2-g"),
    (names.app_name, "shop@staging", "shop@staging"),
    (names.app_name, "shop@production", "shop"),
    (names.docker_name, "shop@staging", "shop--staging"),
    (names.docker_name, "shop", "shop"),
    (names.service_name, "web_1.x-y", "web_1.x-y"),
    (names.variable_name, "DATABASE_URL", "DATABASE_URL"),
    (names.variable_name, "_x9", "_x9"),
    (names.variable_name, "GIT_COMMIT", "GIT_COMMIT"),
    (names.variable_name, "DOCKER_INFLUXDB_INIT_PASSWORD", "DOCKER_INFLUXDB_INIT_PASSWORD"),
    (names.git_ref, "main", "main"),
    (names.git_ref, "feature/x-1.2", "feature/x-1.2"),
    (names.git_ref, "v1.0.0", "v1.0.0"),
    (names.git_ref, "0123456789abcdef0123456789abcdef01234567", "0123456789abcdef0123456789abcdef01234567"),
    (names.relative_path, "./a//b/", "a/b"),
    (names.relative_path, "a/..b/c", "a/..b/c"),
    (names.relative_path, "-x y.yaml", "-x y.yaml"),
    (names.compose_path, "/docker-compose.coolify.yaml", "docker-compose.coolify.yaml"),
    (names.image_ref, "nginx", "nginx"),
    (names.image_ref, "library/nginx:1.27-alpine", "library/nginx:1.27-alpine"),
    (names.image_ref, "localhost:5000/a/b_c:X", "localhost:5000/a/b_c:X"),
    (names.image_ref, "registry:5000/a", "registry:5000/a"),
    (names.image_ref, "10.0.0.1:25500/x@sha256:" + "a" * 64, "10.0.0.1:25500/x@sha256:" + "a" * 64),
    (names.host, "Shop.Example.COM.", "shop.example.com"),
    (names.host, "localhost", "localhost"),
    (names.host, "10.0.0.1", "10.0.0.1"),
    (names.wildcard_host, "*.Example.com", "*.example.com"),
    (names.cidr, "10.213.0.0/16", "10.213.0.0/16"),
    (names.profile_name, "a", "a"),
    (names.profile_name, "*", "*"),
    (names.profile_name, "dev-1.x_y", "dev-1.x_y"),
    (names.commit_id, "0123abc", "0123abc"),
    (names.commit_id, "a" * 64, "a" * 64),
    (names.command_word, "--x $(id)\n\u202e", "--x $(id)\n\u202e"),
    (names.command_word, "", ""),
    (names.relative_path, "\u0645\u06cc\u200c\u0634\u0648\u062f.txt", "\u0645\u06cc\u200c\u0634\u0648\u062f.txt"),
    (names.git_ref, "feature/\u00fc", "feature/\u00fc"),
]


@pytest.mark.parametrize(("validate", "text", "expected"), TAKEN)
def test_taken(validate: Callable[[str], str], text: str, expected: str) -> None:
    assert validate(text) == expected


REFUSED: list[tuple[Callable[[str], str], str, list[str]]] = [
    (
        names.app_name,
        "app_name_invalid",
        ["", "Shop", "1shop", "-x", "a" * 41, "shop-g7", "a--b", "a_b", "a.b", "a\n", "é", "@staging", "../x", "$(id)"],
    ),
    (
        names.app_name,
        "environment_invalid",
        ["shop@", "shop@Up", "shop@a--b", "shop@x-g1", "shop@a@b", "a@" + "b" * 21],
    ),
    (names.service_name, "service_name_invalid", ["", "-a", "a b", "a/b", "a;b", "a\n", ".a"]),
    (names.variable_name, "variable_name_invalid", ["", "1A", "A-B", "A B", "A=B", "A\n", "é", "A" * 256]),
    (names.profile_name, "profile_invalid", ["", "-x", "a b", "a,b", "**", ".a", "a\n", "\0memory:0", "a" * 129]),
    (names.commit_id, "commit_invalid", ["", "abc", "0123ABC", "main", "${HOME}", "a" * 65, "abcdefg", "0123abc\n"]),
    (names.command_word, "command_invalid", ["\0", "a\0b", "\ud800", "\udcff", "a" * 131072]),
    (
        names.variable_name,
        "variable_reserved",
        [
            *("LD_PRELOAD", "ld_library_path", "DOCKER_HOST", "COMPOSE_FILE", "BUILDKIT_HOST", "BUILDX_BUILDER"),
            *("GIT_SSH_COMMAND", "GIT_CONFIG_COUNT", "GIT_ASKPASS", "GIT_EXEC_PATH", "GIT_DIR"),
        ],
    ),
    (
        names.git_ref,
        "git_ref_invalid",
        [
            *(
                "",
                "-x",
                "--upload-pack=x",
                "a..b",
                "a b",
                "$(id)",
                "a@{1}",
                "@",
                "a//b",
                "/a",
                "a/",
                "a.",
                ".a",
                "a/.b",
            ),
            *(
                "a.lock",
                "a.lock/b",
                "a~1",
                "a^",
                "a:b",
                "a?",
                "a*",
                "a[",
                "a\\b",
                "a\x00",
                "a\x7f",
                "a\n",
                "`id`",
                "a/-b",
                "a\x85b",
                "a\u202eb",
                "a\u200bb",
                "\udcff",
                "a" * 251,
            ),
        ],
    ),
    (
        names.relative_path,
        "path_invalid",
        [
            *("", "/etc/passwd", "../x", "a/../../x", "a/..", "a\0b", "~/x", "a\nb", "a\x9bb", "a\u202eb", "a\u2028"),
            *("\udcff", "\ud800", "a" * 256, "ü" * 128, "a/" * 600),
        ],
    ),
    (names.compose_path, "path_invalid", ["", "/", "/../x", "//../x"]),
    (
        names.image_ref,
        "image_invalid",
        ["", "Nginx", "a b", "-x", "a:b:c", "a@sha256:12", "a/", "/a", "a//b", "http://a/b", "$(id)", "a\n", "a" * 501],
    ),
    (names.host, "host_invalid", ["", "a_b", "-a", "a-", "a..b", "*.x", "a b", "é.com", "a" * 64, "x`)", "a/b", "a\n"]),
    (names.wildcard_host, "host_invalid", ["example.com", "*", "*.", "*.*.x"]),
    (names.cidr, "cidr_invalid", ["", "10.0.0.1/16", "10.0.0.0/33", "::/64", "x"]),
]


@pytest.mark.parametrize(("validate", "code", "texts"), REFUSED)
def test_refused(validate: Callable[[str], str], code: str, texts: list[str]) -> None:
    for text in texts:
        with pytest.raises(WindlassError) as caught:
            validate(text)
        assert (text, caught.value.code) == (text, code)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/a/b.git",
        "https://user:p%40ss@host:8443/a.git",
        "ssh://git@host:22/a.git",
        "git@github.com:a/b.git",
        "http://localhost:3000/a.git",
        "http://127.0.0.1/a.git",
    ],
)
def test_git_addresses_taken(url: str) -> None:
    assert names.git_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        *("", "ext::sh -c id", "ext::sh", "fd::7", "--upload-pack=id", "-x", "file:///etc", "/srv/x.git", "../x"),
        *("http://example.com/a.git", "git://example.com/a", "ftp://example.com/a", "https://", "https://-oX/a"),
        *("ssh://-oProxyCommand=id/a", "-oProxyCommand=id@host:a", "git@-host:a", "git@host:-a", "git@host://a:b"),
        *(
            "ssh://-oProxyCommand=id@host/a",
            "ssh://$(id)@host/a",
            "ssh://a%0ab@host/a",
            "ssh://" + "a" * 65 + "@host/a",
        ),
        *("https://host/" + "a" * 2000, "https://host/\u202ea", "https://host/\udcff", "https://host/\x9ba"),
        *("https://host/a b", "https://host/a\n", "https://ho\0st/a", "https://host:port/a", "user@host", "host:a"),
    ],
)
def test_git_addresses_refused(url: str) -> None:
    with pytest.raises(Refused) as caught:
        names.git_url(url)
    assert caught.value.code == "git_url_invalid"


def test_a_refused_git_address_is_told_without_its_password() -> None:
    with pytest.raises(Refused) as caught:
        names.git_url("http://user:s3cret@example.com/a.git")
    assert "s3cret" not in str(caught.value.as_dict())


@pytest.mark.parametrize("url", ["file:///srv/x.git", "/srv/x.git"])
def test_local_paths_where_they_are_allowed(url: str) -> None:
    assert names.git_url(url, allow_file=True) == url


def test_plain_http_where_it_is_allowed() -> None:
    assert names.git_url("http://git.lan/x.git", allow_http=True)


@pytest.mark.parametrize(
    ("url", "bare", "user", "password"),
    [
        ("https://h/a.git", "https://h/a.git", "", ""),
        ("https://u:p%40s%3As@h:1/a@b.git", "https://h:1/a@b.git", "u", "p@s:s"),
        ("https://token@h/a.git", "https://h/a.git", "token", ""),
        ("ssh://git:p@h/a.git", "ssh://git@h/a.git", "", ""),
        ("git@h:a.git", "git@h:a.git", "", ""),
    ],
)
def test_credentials_are_taken_out(url: str, bare: str, user: str, password: str) -> None:
    assert (names.without_credentials(url), *names.credentials(url)) == (bare, user, password)


def test_name_and_environment() -> None:
    assert (names.split_app("shop"), names.split_app("shop@x")) == (("shop", "production"), ("shop", "x"))
