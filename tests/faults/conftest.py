"""The undisturbed runs that all faults are compared with; made once, whichever worker comes first."""

from __future__ import annotations

import fcntl
import os
import pickle
from pathlib import Path

import pytest

from tests.faults.undisturbed import Undisturbed, make_undisturbed


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent
    folder /= "undisturbed"
    folder.mkdir(exist_ok=True)
    made = folder / "made.pickle"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            made.write_bytes(pickle.dumps(make_undisturbed(folder)))
    return _read(made)


def _read(made: Path) -> Undisturbed:
    stored = pickle.loads(made.read_bytes())
    assert isinstance(stored, Undisturbed)
    return stored
