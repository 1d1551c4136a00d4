"""Objects in S3: moto's server behind one that misbehaves; lists in pages, versions, damage, refusals in words."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from orchestration.connectors import s3_files
from orchestration.connectors.base import Services
from orchestration.connectors.errors import IncompleteError, SourceError
from orchestration.connectors.limits import Limits
from orchestration.connectors.pulling import check_source
from orchestration.connectors.s3_files import S3Storage
from orchestration.connectors.stored_files import FilePattern, Intake
from orchestration.errors import ConfigurationError
from tests.connectors import web
from tests.connectors.conformance import HTTP_SETTINGS, SECRET, Case, ConformanceTests, Fault, http_faults
from tests.connectors.test_files_local import (
    DAY,
    TABLES,
    balances_parquet,
    clock,
    expected_rows,
    pull,
    source_of,
    write_all,
    write_landing,
)

BUCKET = "exchange"
HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "date", "server", "keep-alive"}


class Store:
    """An S3 server of moto, and the web server before it."""

    def __init__(self, moto: str) -> None:
        import boto3

        self._pool, self._moto = urllib3.PoolManager(), moto
        self.client = boto3.client(
            "s3",
            endpoint_url=moto,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.web = web.Web(self._forward)

    def _forward(self, request: web.Request) -> web.Answer:
        query = f"?{urlencode(request.query)}" if request.query else ""
        answer = self._pool.request(
            request.method, self._moto + request.path + query, headers=dict(request.headers), decode_content=False
        )
        headers = {name.lower(): value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        return web.Answer(answer.data, answer.status, headers)

    def upload(self, folder: Path, prefix: str) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}{path.relative_to(folder).as_posix()}", path.read_bytes())

    def put(self, key: str, body: bytes, **options: Any) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body, **options)

    def clear(self) -> None:
        for item in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            self.client.delete_object(Bucket=BUCKET, Key=item["Key"])


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    store = Store(f"http://{host}:{port}")
    store.client.create_bucket(Bucket=BUCKET)
    yield store
    store.web.close()
    moto.stop()


@pytest.fixture
def store(server: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    server.clear()
    server.web.requests.clear()
    yield server
    server.web.fault = None


def section(store: Store, **more: Any) -> dict[str, Any]:
    return {
        "location": f"s3://{BUCKET}/drop",
        "endpoint": store.web.url,
        "access_key_variable": "FILES_KEY",
        "secret_key_variable": "FILES_SECRET",
        "tables": TABLES,
        **HTTP_SETTINGS,
        **more,
    }


def answering(store: Store, answer: web.Answer, part: str = "") -> Fault | Any:
    """The answer to every request whose path has that part."""

    def become() -> None:
        store.web.fault = lambda request, honest: answer if part in request.path else honest

    return become


def error(code: str, status: int) -> web.Answer:
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>no: {SECRET}</Message></Error>'
    return web.Answer(body.encode(), status, {"content-type": "application/xml"})


class TestFilesInS3(ConformanceTests):
    @pytest.fixture
    def case(self, store: Store, tmp_path: Path) -> Case:
        write_all(tmp_path / "made")
        store.upload(tmp_path / "made", "drop/")

        def heal() -> None:
            store.web.fault = None
            store.clear()
            store.upload(tmp_path / "made", "drop/")

        def once(answer: web.Answer) -> Any:
            def become() -> None:
                store.web.fault = web.once(lambda request, honest: answer)

            return become

        def flip(request: web.Request, honest: web.Answer) -> web.Answer:
            if not request.path.endswith(".parquet"):
                return honest
            return web.Answer(bytes(255 - byte for byte in honest.data), honest.status, honest.headers)

        def become(fault: web.Fault) -> Any:
            def begin() -> None:
                store.web.fault = fault

            return begin

        no_more = (
            b"<ListBucketResult><Name>exchange</Name><KeyCount>0</KeyCount><IsTruncated>true</IsTruncated>"
            b"</ListBucketResult>"
        )
        faults = http_faults(store.web, after=3)
        return Case(
            section={"kind": "files", **section(store)},
            variables={"FILES_KEY": f"key{SECRET}", "FILES_SECRET": SECRET},
            day=DAY,
            expected=expected_rows(),
            faults={
                **faults,
                "rubbish": Fault(faults["rubbish"].begin, "is no list of objects"),
                "nested": Fault(faults["nested"].begin, "whether an S3 service answers there"),
                "bomb": Fault(faults["bomb"].begin, "whether an S3 service answers there"),
                "empty": Fault(lambda: store.put("drop/prices/a.jsonl", b""), "nothing came for token_prices"),
                "no bucket": Fault(answering(store, error("NoSuchBucket", 404)), "mend the bucket's name"),
                "no right": Fault(answering(store, error("AccessDenied", 403), "balances/"), "s3:GetObject"),
                "gone": Fault(answering(store, error("NoSuchKey", 404), "balances/"), "since it was listed"),
                "overwritten": Fault(
                    answering(store, error("PreconditionFailed", 412), "balances/"), "since it was listed"
                ),
                "slow down": Fault(once(error("SlowDown", 503)), is_survived=True),
                "timed out": Fault(once(error("RequestTimeout", 400)), is_survived=True),
                "flipped": Fault(become(flip), "differs from its checksum"),
                "list breaks off": Fault(become(lambda *_: web.Answer(no_more, 200)), "how to go on"),
                "cut object": Fault(
                    lambda: store.put("drop/balances/20260304.parquet", b"PAR1" + b"\0" * 90), "file is damaged"
                ),
            },
            heal=heal,
        )


# The storage itself


def storage(store: Store, tmp_path: Path, **options: Any) -> S3Storage:
    services = Services(tmp_path)
    return S3Storage(
        f"s3://{BUCKET}/p", services, endpoint=store.web.url, credentials=("FILES_KEY", "FILES_SECRET", None), **options
    )


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILES_KEY", "key")
    monkeypatch.setenv("FILES_SECRET", "secret")


def test_a_list_in_pages_is_read_to_its_end(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        store.put(f"p/{number} +ä&.csv", b"x")
    store.put("p/folder/", b"")
    store.put("other.csv", b"x")
    found = storage(store, tmp_path)
    ask = found._ask
    monkeypatch.setattr(
        found, "_ask", lambda *a, **k: ask(*a, **({"MaxKeys": 3} | k if a[0].startswith("list") else k))
    )
    files = FilePattern("*.csv").found_in(found)
    assert [file.key for file in files] == [f"{number} +ä&.csv" for number in range(7)]
    assert sum("list-type" in request.query for request in store.web.requests) == 3
    assert [b"".join(found.chunks(file)) for file in files] == [b"x"] * 7


def test_an_object_is_read_in_parts_of_one_version(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_files, "PART_BYTES", 10)
    body = bytes(range(25))
    store.put("p/a.bin", body)
    found = storage(store, tmp_path)
    (file,) = FilePattern("*").found_in(found)
    store.web.fault = web.once(web.cut_short, after=1)
    assert list(found.chunks(file)) == [body[:10], body[10:20], body[20:]]
    reading = found.chunks(file)
    next(reading)
    store.put("p/a.bin", body[::-1])
    with pytest.raises(IncompleteError, match="since it was listed"):
        next(reading)


def test_a_part_that_is_not_the_one_asked_for(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("p/a.bin", b"0123456789")
    found = storage(store, tmp_path)
    (file,) = FilePattern("*").found_in(found)
    etag = {"etag": f'"{hashlib.md5(b"0123456789").hexdigest()}"'}
    store.web.fault = lambda request, honest: web.Answer(b"0123", 200, etag)
    with pytest.raises(IncompleteError, match="10 bytes were asked for and 4 came"):
        list(found.chunks(file))
    store.web.fault = lambda request, honest: web.Answer(b"0123456789", 200, {"etag": '"another"'})
    with pytest.raises(IncompleteError, match="changed since it was listed"):
        list(found.chunks(file))


def test_an_object_is_held_against_its_etag(store: Store, tmp_path: Path) -> None:
    store.put("p/a.bin", b"0123456789")
    found = storage(store, tmp_path)
    (file,) = FilePattern("*").found_in(found)
    store.web.fault = lambda request, honest: web.Answer(b"9876543210", 200, {"etag": honest.headers["etag"]})
    with pytest.raises(IncompleteError, match="differs from its ETag"):
        list(found.chunks(file))


def test_an_etag_that_is_no_md5_is_not_held_against_the_content(store: Store, tmp_path: Path) -> None:
    store.put("p/a.bin", b"0123456789")
    found = storage(store, tmp_path, etag_is_md5=False)
    (file,) = FilePattern("*").found_in(found)
    store.web.fault = lambda request, honest: web.Answer(b"9876543210", 200, {"etag": honest.headers["etag"]})
    assert list(found.chunks(file)) == [b"9876543210"]
    encrypted = {"x-amz-server-side-encryption": "aws:kms"}
    store.web.fault = lambda request, honest: web.Answer(
        b"9876543210", 200, {"etag": honest.headers["etag"], **encrypted}
    )
    assert list(storage(store, tmp_path).chunks(file)) == [b"9876543210"]


def test_an_object_that_is_stored_compressed_is_read_as_it_was(store: Store, tmp_path: Path) -> None:
    store.put("p/a.csv", gzip.compress(b"content", mtime=0), ContentEncoding="gzip")
    intake = Intake(storage(store, tmp_path), FilePattern("*"), Limits(), date(2026, 3, 4))
    assert [arrived.read() for arrived in intake.arrived()] == [b"content"]


def test_objects_land_once_per_version(store: Store, tmp_path: Path) -> None:
    columns = {**TABLES["wallet_balances"]["columns"], "as_of": {"constant": "2026-03-04"}}
    tables = {"wallet_balances": {"pattern": "b/*.parquet", "columns": columns, "may_be_empty": True}}
    source = source_of(tmp_path, section(store, tables=tables))
    landing, made = tmp_path / "landing", tmp_path / "made.parquet"
    balances_parquet(made)
    store.put("drop/b/one.parquet", made.read_bytes())
    assert [file.rows for file in pull(source, landing, DAY).files] == [2]
    store.put("drop/b/one.parquet", made.read_bytes())
    assert [file.rows for file in pull(source, landing, date(2026, 3, 5)).files] == [0], "the same content again"
    balances_parquet(made, 3)
    store.put("drop/b/one.parquet", made.read_bytes())
    assert [file.rows for file in pull(source, landing, date(2026, 3, 6)).files] == [3]


def test_a_landing_zone_in_object_storage(store: Store, tmp_path: Path) -> None:
    write_landing(tmp_path / "there", DAY)
    store.upload(tmp_path / "there", "drop/")
    source = source_of(tmp_path, section(store, layout="landing", tables={}))
    files = {file.table: file.rows for file in pull(source, tmp_path / "landing", DAY).files}
    assert files == {"ledger_entries": 3, "balance_snapshots": 0, "wallet_balances": 1, "token_prices": 1}
    assert all(probe.works for probe in check_source(source, tmp_path / "landing", clock(DAY)))


def test_credentials_come_from_the_providers_if_none_are_named(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = Services(tmp_path)
    with pytest.raises(ConfigurationError, match="no credentials are set and none are found"):
        S3Storage(f"s3://{BUCKET}/p", services, endpoint=store.web.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    found = S3Storage(f"s3://{BUCKET}", services, endpoint=store.web.url)
    assert FilePattern("**").found_in(found) == ()
    assert services.secrets.redact(f"a {SECRET}") == "a ***"


@pytest.mark.parametrize(
    ("code", "remedy"),
    [("InvalidAccessKeyId", "variables"), ("SignatureDoesNotMatch", "secret key"), ("RequestTimeTooSkewed", "clock")],
)
def test_refusals_say_what_to_do(store: Store, tmp_path: Path, code: str, remedy: str) -> None:
    store.web.fault = lambda request, honest: error(code, 403)
    with pytest.raises(SourceError, match=f"{code}.*{remedy}"):
        FilePattern("*").found_in(storage(store, tmp_path))
