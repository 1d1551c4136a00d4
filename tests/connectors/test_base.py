"""What the connectors share besides HTTP: bounds, pages, secrets, and the configuration file."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.connectors.configuration import load_sources
from orchestration.connectors.errors import AnswerError, IncompleteError, LimitError
from orchestration.connectors.kinds import KINDS
from orchestration.connectors.limits import Limits
from orchestration.connectors.paging import Page, pages
from orchestration.connectors.secrets import Secrets
from orchestration.errors import ConfigurationError

SMALL = Limits(max_megabytes=1, max_nesting=3, max_decompression_ratio=50)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_gzip_is_read_whole_with_all_its_members(size: int) -> None:
    packed = gzip.compress(b"first\n", mtime=0) + gzip.compress(b"second\n", mtime=0)
    assert b"".join(SMALL.gunzip(pieces(packed, size), "a.gz")) == b"first\nsecond\n"


@pytest.mark.parametrize(
    ("packed", "problem"),
    [
        (gzip.compress(bytes(range(256)) * 40, mtime=0)[:-9], "cut off"),
        (b"no gzip at all", "no gzip or is damaged"),
        (gzip.compress(b"0" * 1_200_000, mtime=0), "decompresses to more than 50 times"),
        (b"", "cut off"),
    ],
)
def test_gzip_that_is_damaged_or_made_to_explode_is_refused(packed: bytes, problem: str) -> None:
    with pytest.raises(AnswerError, match=problem):
        list(Limits(max_megabytes=2, max_decompression_ratio=50).gunzip(pieces(packed, 50), "a.gz"))


def test_gathering_stops_at_the_bound() -> None:
    taken: list[int] = []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield b"x" * 100_000

    with pytest.raises(LimitError, match="larger than 1 MB"):
        SMALL.gather(endless(), "the file")
    assert len(taken) == 11


def test_nesting_counts_brackets_and_not_text() -> None:
    assert SMALL.read_json('{"a": [["]]]][[[[\\"[["]]}', "answer") == {"a": [[']]]][[[["[[']]}
    with pytest.raises(LimitError, match="deeper than 3"):
        SMALL.read_json("[[[[]]]]", "answer")


def test_pages_end_only_where_the_source_says_so() -> None:
    answers = {None: Page([1, 2], "b"), "b": Page([3], "c"), "c": Page([], "d"), "d": Page([4])}
    assert [page.items for page in pages(answers.__getitem__, "ledger")] == [[1, 2], [3], [], [4]]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda cursor: Page([cursor], "again"), "same cursor twice"),
        (lambda cursor: Page(["same"], (cursor or 0) + 1), "same page twice"),
        (lambda cursor: Page([], (cursor or 0) + 1), "no end after 5 pages"),
    ],
)
def test_pages_that_have_no_end_are_no_whole(answer: Any, problem: str) -> None:
    with pytest.raises(IncompleteError, match=problem):
        list(pages(answer, "ledger", most=5))


def test_secrets_come_from_the_environment_and_are_blotted_out_everywhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KEY", "pa ss/wörd'")
    secrets = Secrets()
    assert secrets.fill("https://x/${KEY}?") == "https://x/pa ss/wörd'?"
    for spelled in ("pa ss/wörd'", "pa%20ss%2Fw%C3%B6rd%27", "pa+ss%2Fw%C3%B6rd%27", "cGEgc3Mvd8O2cmQn"):
        assert secrets.redact(f"<{spelled}>") == "<***>"
    with secrets.kept_out_of_logs(), caplog.at_level(logging.DEBUG):
        logging.getLogger("some.library").debug("GET /%s", "pa ss/wörd'")
        try:
            raise ValueError("pa ss/wörd'")
        except ValueError:
            logging.getLogger("some.library").exception("failed")
    assert "pa ss" not in caplog.text
    assert "ValueError: ***" in caplog.text


def test_a_missing_secret_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEY", raising=False)
    with pytest.raises(ConfigurationError, match="environment variable KEY isn't set"):
        Secrets().read("KEY")
    monkeypatch.setenv("KEY", "")
    with pytest.raises(ConfigurationError, match="environment variable KEY isn't set"):
        Secrets().read("KEY")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must have one key, sources"),
        ("sources: {}", "must have one key, sources"),
        ("sources: {a: {kind: postgresql}}\nmore: 1", "must have one key, sources"),
        ("sources: {Ledger: {kind: files}}", "a source's name is lower case"),
        ("sources: {../x: {kind: files}}", "a source's name is lower case"),
        ("sources: {a: [1]}", "say its kind, one of postgresql"),
        ("sources: {a: {}}", "say its kind"),
        ("sources: {a: {kind: postgres}}", "did you mean postgresql"),
        ("sources: {a: {kind: mainframe}}", "there are postgresql, files"),
        ("sources:\n  a: {kind: files}\n  a: {kind: files}", "a stands twice"),
        ("sources: [", "is no YAML"),
        ("sources: !!python/object/apply:os.system ['true']", "is no YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_place_and_remedy(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "sources.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=problem) as refusal:
        load_sources(path)
    assert str(path) in str(refusal.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read: No such file"):
        load_sources(tmp_path / "none.yaml")


def test_kinds_have_names_of_their_own() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_amounts_are_never_binary_floats() -> None:
    assert Limits().read_json("[1.10, 1e2]", "answer") == [Decimal("1.10"), Decimal("1e2")]
