"""Landing files that are cut or flipped before, between and after the days: refused whole, and taken once mended."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.pipeline.run import ExitStatus
from tests.faults.undisturbed import Undisturbed, content, plain_run, runs

Damage = Callable[[Path], None]
ARRIVING, ACCEPTED = "ledger_entries/date=2022-01-03/rows.csv.gz", "ledger_entries/date=2022-01-02/rows.csv.gz"


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    """One bit in the compressed rows, after which most of them can still be read, as something else."""
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def flip_digit(path: Path) -> None:
    whole = path.read_bytes()
    assert b",40000," in whole
    path.write_bytes(whole.replace(b",40000,", b",50000,", 1))


CASES: dict[str, tuple[str, Damage]] = {
    "cut before it was read": (ARRIVING, cut),
    "flipped before it was read": (ARRIVING, flip),
    "cut after it was accepted": (ACCEPTED, cut),
    "a digit flipped after it was accepted": ("token_prices/date=2022-01-01/rows.csv", flip_digit),
}
MENDED = ("flipped before it was read",)
"""Cases in which the file is put right and the day is run: what was accepted is no other in the rest of them."""


@pytest.mark.parametrize("name", CASES)
def test_a_damaged_delivery_is_refused_and_what_was_published_stays(
    name: str, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    file, damage = CASES[name]
    settings = undisturbed.copy(tmp_path, with_landing=True)
    whole = (settings.landing / file).read_bytes()
    damage(settings.landing / file)
    assert plain_run(settings, "disturbed") is ExitStatus.FAILED_INTEGRITY
    said = content(settings.paths)
    assert said.pop("findings")[0] > 0
    assert said == {name: of for name, of in undisturbed.before.items() if name != "findings"}
    assert runs(settings.paths)[-1] == ("disturbed", "failed_integrity")
    if name in MENDED:
        (settings.landing / file).write_bytes(whole)
        undisturbed.require_mended(settings)
