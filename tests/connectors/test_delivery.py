"""Deliveries under attack: killed at any step, on a full or second disk, by two processes, with damaged files."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.connectors import delivery, rows
from orchestration.connectors.base import Batch, Clock, Completed, Connector, Feed, Order, Probe, SourceConfiguration
from orchestration.connectors.configuration import Source
from orchestration.connectors.delivery import Delivery, Manifest, finish_deliveries, manifests
from orchestration.connectors.errors import ResumeError
from orchestration.connectors.kinds import Kind
from orchestration.connectors.pulling import PullError, pull_day
from orchestration.errors import ConfigurationError
from orchestration.landing.manifests import manifest_path
from orchestration.settings import REPOSITORY
from tests.connectors.conformance import tree

DAY = date(2026, 3, 4)
CLOCK = Clock(now=lambda: datetime(2026, 3, 9))


@pytest.fixture(scope="module", autouse=True)
def one_database() -> Iterator[None]:
    """One for all casts of these tests: making them anew is most of what a small pull costs."""
    with pytest.MonkeyPatch.context() as patched, rows.connection() as database:

        @contextmanager
        def connection() -> Iterator[duckdb.DuckDBPyConnection]:
            yield database

        patched.setattr(rows, "connection", connection)
        yield


class LocalConfiguration(SourceConfiguration):
    batches: int = 3


class LocalConnector(Connector):
    """Two tables out of nothing, a batch and a cursor at a time."""

    configuration_class: ClassVar[type[SourceConfiguration]] = LocalConfiguration
    is_stale: ClassVar[bool] = False

    @classmethod
    def feeds_of(cls, configuration: Any) -> tuple[Feed, ...]:
        return (Feed("wallet_balances"), Feed("wallet_transfers", may_be_empty=True))

    def check(self) -> Iterator[Probe]:
        yield Probe("nothing", True, "works")

    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        if order.resume is not None and self.is_stale:
            raise ResumeError("what was kept is stale", "pull again")
        assert isinstance(self._configuration, LocalConfiguration)
        for number in range(order.resume or 0, self._configuration.batches):
            balances = pa.table(
                {
                    "wallet_id": [f"w{number}"],
                    "asset": ["BTC"],
                    "balance": [f"{number}.5"],
                    "as_of": [f"{order.day}T23:59:59Z"],
                }
            )
            yield Batch("wallet_balances", balances, number + 1, is_durable=True)
        yield Completed({"day": str(order.day)})


class LocalKind(Kind):
    connector_class: ClassVar[type[Connector]] = LocalConnector

    def load(self) -> type[Connector]:
        return self.connector_class


SOURCE = Source("local", LocalKind("local", "", "", ""), LocalConfiguration(kind="local"))
SHORT = Source("local", SOURCE.kind, LocalConfiguration(kind="local", batches=2))


class KilledError(BaseException):
    """The process is no more: nothing it would still do is done."""


class Killer:
    """Kills at the step of that number: a step is whatever is about to change the file system below a folder."""

    STEPS = frozenset({"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "fsync"})

    def __init__(self) -> None:
        self.folder, self.fatal_step, self.steps, self.is_dead = "", 0, 0, False
        sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.folder or event not in self.STEPS or not any(self.folder in str(part) for part in arguments):
            return
        if event == "open" and str(arguments[1]) in ("r", "rb", "None") and not int(arguments[2]) & os.O_WRONLY:
            return
        self.steps += 1
        if self.is_dead or self.steps == self.fatal_step:
            self.is_dead = True
            raise KilledError

    @contextmanager
    def watching(self, folder: Path, fatal_step: int = 0) -> Iterator[None]:
        self.folder, self.fatal_step, self.steps, self.is_dead = str(folder), fatal_step, 0, False
        try:
            yield
        finally:
            self.folder = ""


KILLER = Killer()
"""One for all tests: an audit hook can't be taken away again."""


def leftovers(landing: Path) -> list[str]:
    """What staging still holds, but for locks."""
    return sorted(path.name for path in (landing / "_staging").rglob("*") if path.suffix != ".lock" and path.is_file())


def test_killed_at_any_step_nothing_is_seen_and_the_next_pull_gives_the_same_bytes(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    with KILLER.watching(whole):
        manifest = pull_day(SHORT, whole, DAY, CLOCK)
        steps = KILLER.steps
    assert manifest is not None
    assert steps > 15
    reference = tree(whole)
    for step in range(1, steps + 1):
        landing = tmp_path / f"killed_{step}"
        landing.mkdir()
        with KILLER.watching(landing, step), pytest.raises(KilledError):
            pull_day(SHORT, landing, DAY, CLOCK)
        counts = manifest_path(landing, "local", DAY).exists()
        seen = tree(landing)
        assert counts or not seen, f"step {step}: rows are seen before they count"
        assert all(reference[name] == data for name, data in seen.items()), f"step {step}: half a file is seen"
        again = pull_day(SHORT, landing, DAY, CLOCK)
        assert (again is None) is counts, f"step {step}"
        assert tree(landing) == reference, f"step {step}"
        assert [kept.files for kept in manifests(landing, "local")] == [manifest.files], f"step {step}"
        assert leftovers(landing) == [], f"step {step}"
        shutil.rmtree(landing)


_PROCESS = """
import os, signal, sys
from pathlib import Path
from tests.connectors.test_delivery import CLOCK, DAY, KILLER, SOURCE, pull_day
fatal_step, folder = int(sys.argv[2]), sys.argv[1]
def strike(event, arguments):
    if event in KILLER.STEPS and KILLER.steps >= fatal_step:
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(strike)
with KILLER.watching(Path(sys.argv[1])):
    pull_day(SOURCE, Path(sys.argv[1]), DAY, CLOCK)
"""


def test_a_process_that_is_really_killed_leaves_no_lock_and_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    with KILLER.watching(tmp_path / "whole"):
        pull_day(SOURCE, tmp_path / "whole", DAY, CLOCK)
        step = KILLER.steps * 2 // 3
    command = [sys.executable, "-c", _PROCESS, str(tmp_path / "killed"), str(step)]
    ended = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert leftovers(tmp_path / "killed")
    pull_day(SOURCE, tmp_path / "killed", DAY, CLOCK)
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


def failing(error: OSError, after: int) -> Callable[..., Any]:
    """``os.fsync`` on a disk that has room for so many more files."""
    calls, real = 0, os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise error
        real(descriptor)

    return fsync


@pytest.mark.parametrize(
    ("number", "after"), [(errno.ENOSPC, 0), (errno.ENOSPC, 4), (errno.EIO, 7), (errno.EDQUOT, 9), (errno.EROFS, 11)]
)
def test_a_full_disk_is_told_of_and_survived(
    number: int, after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", failing(OSError(number, os.strerror(number)), after))
        with pytest.raises(PullError, match=f"{os.strerror(number)}; make room or mend the rights"):
            pull_day(SOURCE, tmp_path, DAY, CLOCK)
    if not manifest_path(tmp_path, "local", DAY).exists():
        assert tree(tmp_path) == {}
    pull_day(SOURCE, tmp_path, DAY, CLOCK)
    (file,) = tmp_path.glob("wallet_balances/*/local.parquet")
    assert pq.read_table(file)["wallet_id"].to_pylist() == ["w0", "w1", "w2"]


def test_a_file_that_can_t_be_written_is_no_fault_of_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery.Delivery, "begin_anew", lambda _: None)
    with pytest.raises(PullError, match="make room or mend the rights there") as refusal:
        pull_day(SOURCE, tmp_path, DAY, CLOCK)
    assert refusal.value.exit_status == ConfigurationError.exit_status


def test_a_table_on_another_disk_is_copied_and_then_seen_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "here" / "wallet_balances").symlink_to(tmp_path / "there")
    real = Path.replace

    def replace(path: Path, target: Path) -> Path:
        if "wallet_balances" in str(target) and "_staging" in str(path):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return real(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    manifest = pull_day(SOURCE, tmp_path / "here", DAY, CLOCK)
    assert manifest is not None
    assert [path.name for path in (tmp_path / "there" / f"date={DAY}").iterdir()] == ["local.parquet"]
    assert leftovers(tmp_path / "here") == []


def test_without_hard_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert pull_day(SOURCE, tmp_path, DAY, CLOCK) is not None


def test_a_part_is_on_disk_before_a_checkpoint_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    sync, keep = delivery.sync, Delivery._keep

    def noted(path: Path) -> None:
        sync(path)
        synced.append(path.name)

    def kept(self: Delivery, resume: Any) -> None:
        assert {name for names in self.parts.values() for name in names} <= set(synced)
        keep(self, resume)

    monkeypatch.setattr(delivery, "sync", noted)
    monkeypatch.setattr(Delivery, "_keep", kept)
    pull_day(SOURCE, tmp_path, DAY, CLOCK)
    assert len(synced) >= 3


def interrupted(landing: Path) -> Path:
    """A pull that stopped after its second batch; the folder of what it left."""

    class Stops(LocalConnector):
        def pull(self, order: Order) -> Iterator[Batch | Completed]:
            for number, answer in enumerate(super().pull(order)):
                if number == 2:
                    raise KilledError
                yield answer

    class StopsKind(LocalKind):
        connector_class = Stops

    with pytest.raises(KilledError):
        pull_day(Source("local", StopsKind("local", "", "", ""), SOURCE.configuration), landing, DAY, CLOCK)
    return landing / "_staging" / "local" / str(DAY)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "checkpoint cut": lambda folder: (folder / "checkpoint.json").write_text('{"digest"'),
    "checkpoint of another form": lambda folder: (folder / "checkpoint.json").write_text("[]"),
    "checkpoint without parts": lambda folder: (folder / "checkpoint.json").write_text('{"resume": 1, "digest": 2}'),
    "part gone": lambda folder: (folder / "wallet_balances.00000.parquet").unlink(),
    "part cut": lambda folder: (folder / "wallet_balances.00001.parquet").write_bytes(b"PAR1"),
    "part empty": lambda folder: (folder / "wallet_balances.00001.parquet").write_bytes(b""),
    "left over": lambda folder: (folder / "wallet_balances.00002.parquet").write_bytes(b"half"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_an_interrupted_pull_left_may_be_damaged(damage: str, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "damaged").mkdir()
    pull_day(SOURCE, tmp_path / "whole", DAY, CLOCK)
    DAMAGE[damage](interrupted(tmp_path / "damaged"))
    pull_day(SOURCE, tmp_path / "damaged", DAY, CLOCK)
    assert tree(tmp_path / "damaged") == tree(tmp_path / "whole")


def test_a_cursor_that_no_longer_fits_makes_the_pull_begin_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(tmp_path)
    monkeypatch.setattr(LocalConnector, "is_stale", True)
    pull_day(SOURCE, tmp_path, DAY, CLOCK)
    (file,) = tmp_path.glob("wallet_balances/*/local.parquet")
    assert pq.read_table(file)["wallet_id"].to_pylist() == ["w0", "w1", "w2"]


def test_two_processes_don_t_pull_one_source(tmp_path: Path) -> None:
    class Impatient(LocalConnector):
        def pull(self, order: Order) -> Iterator[Batch | Completed]:
            with pytest.raises(PullError, match="another process is pulling it"):
                pull_day(SOURCE, tmp_path, DAY, CLOCK)
            yield from super().pull(order)

    class ImpatientKind(LocalKind):
        connector_class = Impatient

    assert pull_day(Source("local", ImpatientKind("local", "", "", ""), SOURCE.configuration), tmp_path, DAY, CLOCK)
    assert pull_day(SOURCE, tmp_path, DAY, CLOCK) is None


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_text("{"), "can't be read"),
        (lambda path: path.write_text("[]"), "can't be read"),
        (lambda path: path.write_bytes(b"\xff"), "can't be read"),
        (lambda path: path.write_text(path.read_text().replace("2026-03-04", "2026-03-03")), "it is that of local"),
        (lambda path: path.write_text(path.read_text().replace('"wallet_balances/', '"../')), "outside the landing"),
        (
            lambda path: path.write_text(path.read_text().replace('"window": [', '"window": [], "w": [')),
            "can't be read",
        ),
    ],
)
def test_a_damaged_manifest_stops_the_next_day_and_no_other_source(
    damage: Callable[[Path], object], says: str, tmp_path: Path
) -> None:
    pull_day(SOURCE, tmp_path, DAY, CLOCK)
    path = manifest_path(tmp_path, "local", DAY)
    damage(path)
    with pytest.raises(ConfigurationError, match=says):
        Manifest.read(path)
    with pytest.raises(PullError, match=says):
        pull_day(SOURCE, tmp_path, date(2026, 3, 5), CLOCK)
    (tmp_path / "_staging" / "local" / str(DAY)).mkdir(parents=True)
    other = Source("other", SOURCE.kind, SOURCE.configuration)
    assert pull_day(other, tmp_path, DAY, CLOCK) is not None


def test_a_delivered_file_that_is_nowhere_is_missed(tmp_path: Path) -> None:
    pull_day(SOURCE, tmp_path, DAY, CLOCK)
    (file,) = tmp_path.glob("wallet_balances/*/local.parquet")
    (tmp_path / "_staging" / "local" / str(DAY)).mkdir(parents=True)
    assert finish_deliveries(tmp_path) == 1
    file.unlink()
    (tmp_path / "_staging" / "local" / str(DAY)).mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"was delivered and is gone.*restore it"):
        finish_deliveries(tmp_path)


def test_a_file_that_lies_in_the_place_already_is_not_written_over(tmp_path: Path) -> None:
    place = tmp_path / "wallet_balances" / f"date={DAY}" / "local.parquet"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"somebody's")
    with pytest.raises(PullError, match="not from this source; move it away"):
        pull_day(SOURCE, tmp_path, DAY, CLOCK)
    assert place.read_bytes() == b"somebody's"
    assert not manifest_path(tmp_path, "local", DAY).exists()


def test_rows_without_cursors_don_t_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FLUSHED_ROWS", 2)
    order, feeds = Order(DAY), LocalConnector.feeds_of(None)
    one = Delivery(tmp_path, "local", "local", order, feeds, "digest")
    batches = [answer for answer in pulled(order) if isinstance(answer, Batch)]
    for batch in batches:
        one.add(Batch(batch.table, batch.rows))
    assert [path.name for path in one.folder.iterdir()] == ["wallet_balances.00000.parquet"]
    again = Delivery(tmp_path, "local", "local", order, feeds, "digest")
    assert again.resume is None
    assert list(again.folder.iterdir()) == []


def pulled(order: Order) -> Iterator[Batch | Completed]:
    from orchestration.connectors.base import Services

    yield from LocalConnector("local", SOURCE.configuration, Services(Path("none"))).pull(order)
