"""Words that strangers type: each would be a way in where a word becomes more than a word."""

from __future__ import annotations

HARMLESS = "wlt-harmless"

# Kind -> words of it, of which the first two stand for the others where each word is dear.
KINDS: dict[str, tuple[str, ...]] = {
    "options": (
        "--upload-pack=touch /tmp/x", "-x", "-", "--", "--help", "--pull", "-f/etc/passwd", "--file=/etc/passwd",
        "-c core.pager=id", "--config=x", "-oProxyCommand=id", "--env-file=/etc/shadow", "--host=tcp://h",
    ),
    "shell": (
        "$(id)", ";id", "`id`", "|id", "&id", "&&id", ">x", "a b", "a\tb", "'", '"', "\\", "#x", "*", "{a,b}",
        "~root", "$HOME", "${IFS}id", "';id;'", '";id;"', "%s%n",
    ),
    "interpolation": (
        "${HOME}", "{{.Env}}", "$PATH", "${DOCKER_HOST}", "${X:?boom}", "${X:-id}", "$$", "$$$$", "${X",
        "${{ secrets.X }}", "{{7*7}}", "%{HOME}", "%2e%2e%2f", "%00", "%0aid", "\\u0000",
    ),
    "lines": (
        "a\nid", "a\u2028id", "\n", "a\r\nid", "\rid", "a\x0bid", "a\x85id", "a\u2029id",
    ),
    "bytes": (
        "\x00memory:0", "\ud800", "\x00", "a\x00b", "\x1b[2J", "\x1b]0;x\x07", "\x7f", "\x9b2J", "\udcff",
    ),
    "letters": (
        "a\u202eb", "\xfc", "\uff41\uff50\uff50", "\u0430pp", "a\u2066b", "a\u200bb", "\ufeffa", "\u0130", "\xdf",
        "e\u0301",
    ),
    "paths": (
        "../../etc/passwd", "@/etc/passwd", "..", "../x", "/etc/passwd", "/", "./x", "a/../../b", "a//b", "..\\x",
        "C:\\x", "/proc/self/environ", "/dev/stdin", "/dev/fd/3", "file:///etc/passwd", ".git/config",
    ),
    "addresses": (
        "ext::sh -c id", "ssh://$(id)@h/x", "fd::17", "http://169.254.169.254/x", "ssh://-oProxyCommand=id/x",
        "git@-oX:x", "git://h/x", "ssh://-oX@h/x", "https://h/x\nid", "https://-h/x", "data:,x",
        "javascript:alert(1)",
    ),
    "yaml": (
        "!!python/object:os.system", "*a", "!reset", "&a", "a: b", "- a", "[", "{", "# a", "? a", "|", ">", "null",
        "~", "yes", "0x7f", "1e999", ".inf", "<<", "---", "...", "'", "%YAML",
    ),
    "assignments": (
        "LD_PRELOAD=/tmp/x.so", "windlass.app=other", "GIT_SSH_COMMAND=id", "DOCKER_HOST=tcp://h", "COMPOSE_FILE=/x",
        "PATH=/tmp", "url.x.insteadOf=y", "a=b=c", "=x", "com.docker.compose.project=other",
    ),
    "lengths": (
        "a" * 140_000, "a" * 300, "", "a/" * 2000, "a" * 5000, "ü" * 3000,
    ),
}  # fmt: skip

FEW = tuple(word for words in KINDS.values() for word in words[:2])
WORDS = tuple(dict.fromkeys(word for words in KINDS.values() for word in words))


def shown(word: str) -> str:
    """A test's name: short, and of plain letters."""
    text = word.encode("ascii", "backslashreplace").decode().replace("\n", "\\n").replace("\0", "\\0")
    return f"{text[:30]}…{len(word)}" if len(text) > 30 else repr(text)[1:-1]
