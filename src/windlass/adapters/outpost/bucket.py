"""Lists at most one key of a bucket, signed as S3 wants it: what the answer says of keys, bucket and rights."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from windlass.adapters.outpost.line import Fault, open_line
from windlass.adapters.outpost.web import Answer, host_of, request
from windlass.domain.outposts import Depth, Reply, Step, Target

_QUERY = "list-type=2&max-keys=1"
_NOTHING = hashlib.sha256(b"").hexdigest()
_CODE = re.compile(rb"<Code>([A-Za-z]{1,60})</Code>")
_REGION = re.compile(rb"<Region>([a-z0-9-]{1,40})</Region>")
_BUCKET_IN_HOST = "SecondLevelDomainForbidden"  # of servers that know no bucket in the path

_MEANINGS = {
    "InvalidAccessKeyId": (Step.CREDENTIALS, "key"),
    "InvalidToken": (Step.CREDENTIALS, "key"),
    "Unauthorized": (Step.CREDENTIALS, "key"),
    "InvalidArgument": (Step.CREDENTIALS, "key"),
    "SignatureDoesNotMatch": (Step.CREDENTIALS, "signature"),
    "RequestTimeTooSkewed": (Step.CREDENTIALS, "clock"),
    "NoSuchBucket": (Step.BUCKET, "missing"),
    "InvalidBucketName": (Step.BUCKET, "missing"),
    "SlowDown": (Step.BUSY, "failing"),
}


def ask_bucket(target: Target, until: float) -> Reply:
    """Raises Fault."""
    if not target.knows_login:
        _get(target, until, {})
        return Reply(depth=Depth.ANSWER)
    answer = _signed_get(target, until)
    region = _region_of(answer)
    if region not in ("", target.region):
        target = replace(target, region=region)
        answer = _signed_get(target, until)
    if _code_of(answer) == _BUCKET_IN_HOST:
        answer = _signed_get(_with_bucket_in_host(target), until)
    return _meaning(answer)


def _meaning(answer: Answer) -> Reply:
    code = _code_of(answer)
    if answer.status == 200:
        if b"ListBucketResult" not in answer.body:
            raise Fault(Step.PROTOCOL, "other")
        return Reply(depth=Depth.LOGIN)
    if code in _MEANINGS:
        raise Fault(*_MEANINGS[code])
    if answer.status >= 500:
        raise Fault(Step.BUSY, "failing", code or f"HTTP {answer.status}")
    if answer.status in (301, 307) and "x-amz-bucket-region" in answer.headers:
        return Reply(depth=Depth.ANSWER)  # it is there, and to be asked elsewhere
    if answer.status == 404:
        raise Fault(Step.BUCKET, "missing")
    if answer.status in (401, 403):
        raise Fault(Step.PERMISSION, "bucket", code)
    raise Fault(Step.PROTOCOL, "other", code)


def _code_of(answer: Answer) -> str:
    found = _CODE.search(answer.body)
    return found[1].decode() if found else ""


def _region_of(answer: Answer) -> str:
    """The region that the server wants instead, "" when it says none."""
    if answer.status not in (301, 400, 403):
        return ""
    found = _REGION.search(answer.body)
    return found[1].decode() if found else answer.headers.get("x-amz-bucket-region", "")


def _with_bucket_in_host(target: Target) -> Target:
    host, port = target.servers[0]
    path, _, bucket = target.name.rpartition("/")
    return replace(target, servers=((f"{bucket}.{host}", port),), name=path)


def _signed_get(target: Target, until: float) -> Answer:
    return _get(target, until, signature(target, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())))


def _get(target: Target, until: float, headers: Mapping[str, str]) -> Answer:
    general = {"User-Agent": "windlass", "Connection": "close", "Host": host_of(target)}
    with open_line(target, until) as line:
        return request(line, f"{_path(target)}?{_QUERY}", {**general, **headers})


def _path(target: Target) -> str:
    return "/" + quote(target.name, safe="/-_.~")


def signature(target: Target, at: str) -> dict[str, str]:
    """The headers that sign the request (version 4). `at`: now, such as 20260102T030405Z."""
    signed = {"host": host_of(target), "x-amz-content-sha256": _NOTHING, "x-amz-date": at}
    names = ";".join(signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    whole = "\n".join(("GET", _path(target), _QUERY, lines, names, _NOTHING))
    scope = f"{at[:8]}/{target.region}/s3/aws4_request"
    told = "\n".join(("AWS4-HMAC-SHA256", at, scope, hashlib.sha256(whole.encode()).hexdigest()))
    key = f"AWS4{target.password}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    proof = hmac.new(key, told.encode(), "sha256").hexdigest()
    return {
        "X-Amz-Content-Sha256": _NOTHING,
        "X-Amz-Date": at,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={target.user}/{scope}, SignedHeaders={names}, Signature={proof}",
    }
