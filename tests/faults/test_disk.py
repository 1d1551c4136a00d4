"""No room, and no right to write: an error that says so, and a warehouse that goes on when there is again."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from orchestration.alerts.incidents import Occasion
from orchestration.alerts.store import Draft, Store
from orchestration.errors import ConfigurationError
from orchestration.pipeline import steps
from orchestration.publish.snapshot import PublishError
from orchestration.runner import run_days
from orchestration.settings import Settings
from tests.faults import children
from tests.faults.undisturbed import LAST, Undisturbed, content, plain_run

ROOM = 1_000_000


@contextmanager
def little_room(folder: Path) -> Iterator[bool]:
    """The folder, with what is in it, on a disk that has room for a little more; False if none can be made here."""
    used = sum(path.stat().st_size for path in folder.rglob("*"))
    beside = folder.with_name(f"{folder.name}-beside")
    shutil.copytree(folder, beside)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={used + ROOM}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        yield False
        return
    try:
        shutil.copytree(beside, folder, dirs_exist_ok=True)
        yield True
        subprocess.run(["mount", "-o", "remount,size=1g", str(folder)], check=True)
        shutil.rmtree(beside)
        shutil.copytree(folder, beside)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
    shutil.copytree(beside, folder, dirs_exist_ok=True)


def limit_files(size: int) -> None:
    """What stands in for a small disk: no file of this process gets longer."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def run_without_room(settings: Settings, step: str, said: Path) -> None:
    """Run day 3; from the end of that step on, nothing may be written behind the first megabyte of a file."""

    def after(done: str) -> None:
        if done == step:
            limit_files(ROOM)

    try:
        plain_run(settings, "disturbed", after=after)
    except Exception as error:  # noqa: BLE001 (told to the parent)
        os.write(os.open(said, os.O_WRONLY), str(error).encode()[:4_000])


FULL = "No space left on device|File too large"


def require_full_while(undisturbed: Undisturbed, settings: Settings, folder: Path, step: str, said: Path) -> None:
    """Run day 3 without room in that folder, from the end of that step on where a limit stands in for a small disk."""
    said.touch()
    with little_room(folder) as is_small:
        if is_small:
            with pytest.raises(Exception, match=FULL) as raised:
                plain_run(settings, "disturbed")
            said.write_text(str(raised.value))
        else:
            child = children.start(run_without_room, settings, step, said)
            assert children.ended(child) == 0
            assert any(text in said.read_text() for text in FULL.split("|"))
        undisturbed.require_held(settings, is_before=True)


def test_a_disk_that_is_full_while_building_loses_nothing(undisturbed: Undisturbed, tmp_path: Path) -> None:
    settings = undisturbed.copy(tmp_path)
    require_full_while(undisturbed, settings, settings.paths.build_file.parent, "prepare_run", tmp_path / "said")
    undisturbed.require_mended(settings)


def test_a_disk_that_is_full_while_publishing_leaves_what_was_published(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    settings, said = undisturbed.copy(tmp_path), tmp_path / "said"
    require_full_while(undisturbed, settings, settings.paths.snapshots, "judge_warehouse", said)
    assert "the file published before is untouched" in said.read_text()
    assert not list(settings.paths.root.rglob(".publishing-*"))
    undisturbed.require_mended(settings)


def fill(store_file: Path, counted: Path, is_small: bool) -> None:
    """Put messages into a store until there is no room; count those that were taken."""
    if not is_small:
        limit_files(ROOM)
    store, taken = Store.in_file(store_file), os.open(counted, os.O_WRONLY)

    def add_messages() -> None:
        while True:
            store.add_message(Draft("pager", "line", Occasion.OPENED, "x" * 50_000, ()), datetime(2026, 11, 26))
            os.write(taken, b".")

    with pytest.raises(Exception, match=r"full|disk I/O error"):
        add_messages()


def test_a_store_of_alerts_without_room_keeps_every_message_that_it_took(tmp_path: Path) -> None:
    folder, counted = tmp_path / "alerts", tmp_path / "counted"
    folder.mkdir()
    counted.touch()
    with little_room(folder) as is_small:
        assert children.ended(children.start(fill, folder / "alerts.sqlite", counted, is_small)) == 0
    store = Store.in_file(folder / "alerts.sqlite")
    assert len(store.messages()) == counted.stat().st_size > 0
    store.add_message(Draft("pager", "line", Occasion.RESOLVED, "there is room again", ()), datetime(2026, 11, 26))
    assert len(store.due_messages(datetime(2026, 11, 27))) == 1, "one after the other"
    store.close()


def drop_capabilities() -> None:
    """From now on rights count for this process, also if it is root's (see capset(2))."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capset(ctypes.byref(header), ctypes.byref(nothing)) == 0, os.strerror(ctypes.get_errno())


def require_refused(settings: Settings, said: str) -> None:
    """The command line's run, which must say in a line where it may not write."""
    drop_capabilities()
    with pytest.raises(ConfigurationError, match=said):
        run_days(settings, LAST, LAST)


@pytest.mark.parametrize("place", [".", "build", "published"])
def test_a_warehouse_folder_that_cant_be_written_to_is_named_before_anything_is_done(
    place: str, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    settings = undisturbed.copy(tmp_path)
    folder = settings.warehouse / place
    with without_rights(folder):
        child = children.start(require_refused, settings, f"{folder.resolve()} can't be written to; give this user")
        assert children.ended(child) == 0
    undisturbed.require_held(settings, is_before=True)


@contextmanager
def without_rights(*folders: Path) -> Iterator[None]:
    for folder in folders:
        folder.chmod(0o555)
    try:
        yield
    finally:
        for folder in folders:
            folder.chmod(0o755)


def read_only_run(settings: Settings) -> None:
    drop_capabilities()
    plain_run(settings, "first")


def test_a_landing_zone_that_cant_be_written_to_is_all_that_a_run_needs(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    settings = undisturbed.copy(tmp_path, with_landing=True)
    with without_rights(settings.landing, *(path for path in settings.landing.rglob("*") if path.is_dir())):
        assert children.ended(children.start(read_only_run, settings)) == 0
    undisturbed.require_held(settings, is_before=False)


def publish_again(settings: Settings) -> None:
    drop_capabilities()
    with pytest.raises(PublishError, match=r"Permission denied.*the file published before is untouched"):
        steps.publish_run(settings)


def test_a_warehouse_folder_that_lost_its_rights_during_a_run_leaves_what_was_published(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    settings = undisturbed.copy(tmp_path)
    with without_rights(settings.warehouse):
        assert children.ended(children.start(publish_again, settings)) == 0
    assert content(settings.paths) == undisturbed.before
