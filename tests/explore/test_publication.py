"""The file that the explorer reads: replaced under its readers, never mixed, never kept for too long."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest

from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.explore.publication import Publication, Reader, _Served, served
from orchestration.settings import WarehousePaths
from tests.explore import books


def days_in(reader: Reader) -> int:
    return int(reader.cursor.execute("select count(*) from marts.fct_solvency_daily").fetchall()[0][0])


@pytest.fixture
def paths(tmp_path: Path) -> WarehousePaths:
    return books.publish(tmp_path / "warehouse", books.story())


def publish_nothing_new(paths: WarehousePaths) -> None:
    books.publish(paths.root, {"marts.fct_solvency_daily": [{"as_of_date": books.FIRST, "status": "covered"}]})


def test_a_new_file_is_read_by_whoever_comes_next(paths: WarehousePaths) -> None:
    publication = Publication(paths)
    with publication.reading() as reader:
        assert days_in(reader) == 2
        before = reader.identity
    publish_nothing_new(paths)
    with publication.reading() as reader:
        assert days_in(reader) == 1
        assert reader.identity != before
    publication.close()


def test_a_look_is_at_one_file_and_the_next_waits_until_it_is_over(paths: WarehousePaths) -> None:
    publication = Publication(paths)
    asked, found = Event(), []

    def look_again() -> None:
        asked.set()
        with publication.reading() as reader:
            found.append(days_in(reader))

    thread = Thread(target=look_again)
    with publication.reading() as reader:
        publish_nothing_new(paths)
        thread.start()
        assert asked.wait(30)
        assert days_in(reader) == 2
        assert found == []
    thread.join(30)
    assert found == [1]
    publication.close()


def test_two_look_at_the_same_file_at_once(paths: WarehousePaths) -> None:
    publication = Publication(paths)
    with publication.reading() as one, publication.reading() as other:
        assert days_in(one) == days_in(other) == 2
        assert one.identity == other.identity
    publication.close()


def test_a_page_that_breaks_lets_go(paths: WarehousePaths) -> None:
    publication = Publication(paths)
    with pytest.raises(ZeroDivisionError), publication.reading():
        raise ZeroDivisionError
    publish_nothing_new(paths)
    with publication.reading() as reader:
        assert days_in(reader) == 1
    publication.close()


def test_a_file_that_is_gone_is_said_to_be(paths: WarehousePaths) -> None:
    publication = Publication(paths)
    with publication.reading():
        pass
    paths.published_file.unlink()
    with pytest.raises(ConfigurationError, match="no warehouse in"), publication.reading():
        pass
    publish_nothing_new(paths)
    with publication.reading() as reader:
        assert days_in(reader) == 1
    publication.close()


def test_a_file_that_is_none_is_said_to_be(tmp_path: Path) -> None:
    paths = WarehousePaths(tmp_path)
    paths.published_file.write_bytes(b"no database")
    with pytest.raises(ConfigurationError, match="can't be opened"), Publication(paths).reading():
        pass


def test_pages_without_a_command_say_how_they_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Served, "publication", None)
    with pytest.raises(RingfenceError, match="ringfence explore --warehouse DIR"):
        served()
