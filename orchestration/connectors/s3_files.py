"""Files in object storage that speaks S3: the field's client (boto3) over the connectors' own HTTP client.

What belongs here: listing and reading objects, and what S3's refusals mean. What doesn't: patterns and what was seen
before (``stored_files``). boto3 finds credentials, signs and understands answers; deadlines, retries, rates and bounds
are those of every connector, since its requests go out through ``HttpClient``.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NoReturn

from orchestration.connectors.base import Services, require
from orchestration.connectors.errors import AnswerError, IncompleteError, SourceError, StatusError
from orchestration.connectors.http import HttpClient, HttpSettings, TransientError
from orchestration.connectors.limits import Limits
from orchestration.connectors.paging import Page, pages
from orchestration.connectors.secrets import VariableName
from orchestration.connectors.stored_files import Storage, StoredFile
from orchestration.errors import ConfigurationError

PART_BYTES = 16 << 20
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9]{1,60})\s*</Code>")
_MD5 = re.compile(r"[0-9a-f]{32}")
_GONE = frozenset({"NoSuchKey", "PreconditionFailed", "InvalidRange", "InvalidObjectState"})
_BUSY = frozenset({"RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable"})
_REMEDIES = {
    "NoSuchBucket": "mend the bucket's name or the endpoint",
    "AccessDenied": "give the credentials the rights s3:ListBucket and s3:GetObject",
    "InvalidAccessKeyId": "mend the variables of the credentials",
    "SignatureDoesNotMatch": "mend the secret key",
    "ExpiredToken": "renew the session token",
    "RequestTimeTooSkewed": "set this machine's clock",
    "PermanentRedirect": "mend the region or the endpoint",
    "AuthorizationHeaderMalformed": "mend the region",
}


class _Body(io.BytesIO):
    """An answer's body as boto3 reads it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        """All of it."""
        yield self.read()


class S3Storage(Storage):
    """The objects below a prefix of a bucket."""

    def __init__(
        self,
        location: str,
        services: Services,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        credentials: tuple[VariableName, VariableName, VariableName | None] | None = None,
        etag_is_md5: bool = True,
        settings: HttpSettings | None = None,
        limits: Limits | None = None,
    ) -> None:
        """``location`` is s3://bucket/prefix. ``credentials`` name variables; None leaves it to boto3 to find some."""
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        self.bucket, self.prefix = bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.place = f"s3://{bucket}/{self.prefix}".rstrip("/")
        self.services, self.limits, self.etag_is_md5 = services, limits or Limits(), etag_is_md5
        self._endpoint = services.secrets.fill(endpoint) if endpoint else None
        self._http = HttpClient(self._endpoint or "https://s3.amazonaws.com", services, settings, self.limits)
        self._deadline = 0.0
        self._client = self._connected(region, credentials)

    def _connected(
        self, region: str | None, variables: tuple[VariableName, VariableName, VariableName | None] | None
    ) -> Any:
        boto3, config = require("boto3", "s3"), require("botocore.config", "s3")
        read = self.services.secrets.read
        given = dict(
            zip(
                ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"),
                [read(name) if name else None for name in variables or ()],
                strict=False,
            )
        )
        described = require("botocore.session", "s3").Session()
        described.register_component("data_loader", _descriptions())
        session = boto3.session.Session(region_name=region, botocore_session=described, **given)
        found = session.get_credentials()
        if found is None:
            raise ConfigurationError(
                f"{self.place}: no credentials are set and none are found; name access_key_variable and"
                " secret_key_variable, or set up a profile"
            )
        frozen = found.get_frozen_credentials()
        for secret in (frozen.access_key, frozen.secret_key, frozen.token):
            if secret:
                self.services.secrets.add(secret)
        client = session.client(
            "s3",
            endpoint_url=self._endpoint,
            config=config.Config(
                retries={"mode": "standard", "total_max_attempts": 1},  # attempts are HttpClient's
                s3={"addressing_style": "path" if self._endpoint else "auto"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_supported",
            ),
        )
        client.meta.events.register("before-send.s3", self._send)
        return client

    # Sending

    def _send(self, request: Any, **_: Any) -> Any:
        """Send what boto3 has signed, the way every connector sends, and give it the answer."""
        awsrequest = require("botocore.awsrequest", "s3")
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        headers["accept-encoding"] = "identity"
        place = self._http.place(request.method, request.url)
        try:
            response = self._http.attempt(
                request.method, request.url, place, self._deadline, headers=headers, decode=False
            )
        except StatusError as error:
            _refuse(error, place)
        return awsrequest.AWSResponse(request.url, response.status, dict(response.headers), _Body(response.body))

    def _ask(self, operation: str, what: str, **parameters: Any) -> Any:
        """An operation's answer, its body read, asked for until it comes; each attempt is signed anew."""
        exceptions = require("botocore.exceptions", "s3")

        def attempt(deadline: float) -> Any:
            self._deadline = deadline
            try:
                answer = getattr(self._client, operation)(Bucket=self.bucket, **parameters)
                if "Body" in answer:
                    answer["Body"] = answer["Body"].read()
            except exceptions.FlexibleChecksumError as error:
                raise IncompleteError(
                    f"{what} differs from its checksum", "pull again; if it stays so, upload it again"
                ) from error
            except (exceptions.BotoCoreError, exceptions.ClientError, exceptions.HTTPClientError) as error:
                told = " ".join(str(error).split())[:160]
                raise AnswerError(
                    f"{what}: {type(error).__name__}: {told}", "see whether an S3 service answers there"
                ) from error
            return answer

        return self._http.patiently(attempt, what)

    # What a storage does

    def listed(self, prefix: str, depth: int | None) -> Iterator[StoredFile]:  # noqa: ARG002 (keys have no folders)
        """All objects whose key begins so, in pages to the true end."""
        place, start = f"the list of {self.place}", self.prefix + prefix

        def fetch(token: str | None) -> Page:
            more = {"ContinuationToken": token} if token else {}
            answer = self._ask("list_objects_v2", place, Prefix=start, **more)
            if "IsTruncated" not in answer or "Name" not in answer:
                raise AnswerError(f"{place} is no list of objects", "see whether an S3 service answers there")
            following = answer.get("NextContinuationToken") if answer["IsTruncated"] else None
            if answer["IsTruncated"] and not following:
                raise IncompleteError(f"{place} breaks off without saying how to go on", "its paging can't be trusted")
            return Page(answer.get("Contents", []), following)

        for page in pages(fetch, place):
            for item in page.items:
                if not item["Key"].startswith(start):
                    raise AnswerError(f"{place} has keys that weren't asked for", "see what answers there")
                if not item["Key"].endswith("/"):  # a marker of a folder
                    etag = item["ETag"].strip('"')
                    yield StoredFile(item["Key"][len(self.prefix) :], f"{item['Size']}.{etag}", item["Size"])

    def chunks(self, file: StoredFile) -> Iterator[bytes]:
        """The object in parts, each of them whole and of the version that was listed, else IncompleteError.

        Held against its MD5 where the ETag is one: of objects that weren't uploaded in parts or encrypted with a key.
        """
        etag = file.stamp.partition(".")[2]
        part = min(PART_BYTES, self.limits.max_bytes)
        digest, is_md5 = hashlib.md5(usedforsecurity=False), self.etag_is_md5 and bool(_MD5.fullmatch(etag))
        for start in range(0, max(file.size, 1), part):
            stop = min(start + part, file.size)
            whole = stop - start == file.size
            data, is_plain = self._part(file, etag, {} if whole else {"Range": f"bytes={start}-{stop - 1}"})
            if len(data) != stop - start:
                raise IncompleteError(
                    f"{file.shown}: {stop - start} bytes were asked for and {len(data)} came", "pull again"
                )
            is_md5 = is_md5 and is_plain
            digest.update(data)
            yield data
        if is_md5 and digest.hexdigest() != etag:
            raise IncompleteError(
                f"{file.shown} differs from its ETag", "upload it again; if this store's ETag is no MD5: etag_is_md5 no"
            )

    def _part(self, file: StoredFile, etag: str, wanted: dict[str, str]) -> tuple[bytes, bool]:
        answer = self._ask("get_object", file.shown, Key=self.prefix + file.key, IfMatch=f'"{etag}"', **wanted)
        if answer.get("ETag", "").strip('"') != etag:
            raise IncompleteError(f"{file.shown} changed since it was listed", "pull again")
        is_plain = answer.get("ServerSideEncryption", "AES256") == "AES256" and "SSECustomerAlgorithm" not in answer
        return answer["Body"], is_plain

    def touch(self, file: StoredFile) -> None:
        """Read one byte."""
        if file.size:
            self._part(file, file.stamp.partition(".")[2], {"Range": "bytes=0-0"})


@cache
def _descriptions() -> Any:
    """The library's descriptions of services, which take a second to read: once for a process."""
    return require("botocore.loaders", "s3").create_loader()


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _refuse(error: StatusError, place: str) -> NoReturn:
    """Raise what a refusal of S3 means."""
    found = _CODE.search(error.body)
    code = found.group(1).decode() if found else ""
    if code in _BUSY:
        raise TransientError(f"{code} (status {error.status})") from error
    if code in _GONE or error.status == 412:
        raise IncompleteError(f"{place}: gone or changed since it was listed ({code or error.status})", "pull again")
    if code in _REMEDIES:
        raise SourceError(f"{place}: {code} (status {error.status})", _REMEDIES[code]) from error
    raise error
