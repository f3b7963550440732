"""windlass moves from SQLite to a real PostgreSQL and begins again from there."""

from __future__ import annotations

import pytest
from tests.contents import contents_of
from tests.e2e.station import Station
from tests.postgres import postgres_server

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SECRET = "s3cret-V4lue $ of the app"


def test_it_begins_again_from_postgresql(own: Station) -> None:
    app = own.app("db")
    own.ok("env", "set", app, "PASSWORD", "--stdin", stdin=SECRET)
    entries = own.ok("audit", "verify")["entries"]
    with postgres_server() as url:
        refused = own.run("db", "copy", "--to-file", "-", stdin=url)
        assert refused.codes == {"still_running"}
        own.down()
        own.ok("db", "copy", "--to-file", "-", stdin=url)
        assert own.run("up").codes == {"database_not_named"}
        own.engine.environment["WINDLASS_DATABASE_URL"] = url
        try:
            own.up()
            assert [i["value"] for i in own.ok("env", "list", app, "--reveal")["items"]] == [SECRET]
            own.ok("env", "set", app, "MORE=1")
            verified = own.ok("audit", "verify")
            assert (verified["status"], verified["entries"]) == ("ok", entries + 1)
            password = url.split(":")[2].split("@")[0].encode()
            assert not any(password in content for content in contents_of(own.home).values())
        finally:
            own.kill()
            del own.engine.environment["WINDLASS_DATABASE_URL"]
