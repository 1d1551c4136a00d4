"""Files of a simulated landing zone: Parquet partitions with the same bytes for the same seed.

What belongs here: the output folder, its checks, and writing. What doesn't: rows.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestration import contract
from orchestration.errors import ConfigurationError
from orchestration.simulate.delivery import LATER, PART, TRUTH_FILE, write_table


@dataclass
class LandingWriter:
    """Writes beside the output folder first and takes its place only when everything is there."""

    out: Path
    work: Path
    rows: Counter[str] = field(default_factory=Counter)

    @staticmethod
    def open(out: Path) -> LandingWriter:
        """Check the output folder and start an empty work folder; raise ConfigurationError if it can't be used."""
        out = out.absolute()
        _refuse_foreign_folder(out)
        work = out.parent / f".{out.name}.unfinished"
        try:
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
        except OSError as error:
            raise ConfigurationError(f"--out {out}: can't write there ({error.strerror}); choose another") from error
        return LandingWriter(out, work)

    def write(self, name: str, table: pa.Table, when: date | None = None) -> None:
        """Write one partition of a dated table, or a whole reference table."""
        folder = self.work / name if when is None else self.work / name / f"date={when.isoformat()}"
        write_table(table, folder / PART)
        self.rows[name] += table.num_rows

    def finish(self, truth: dict[str, Any]) -> Path:
        """Write the truth, put the folder in place, and return the truth's path."""
        text = json.dumps(truth, indent=1, ensure_ascii=False) + "\n"
        (self.work / TRUTH_FILE).write_text(text, encoding="utf-8")
        if self.out.exists():
            shutil.rmtree(self.out)
        self.work.rename(self.out)
        return self.out / TRUTH_FILE

    def abandon(self) -> None:
        """Remove what was written so far."""
        shutil.rmtree(self.work, ignore_errors=True)


def _refuse_foreign_folder(out: Path) -> None:
    """An output folder may be new, empty, or an earlier simulation with nothing else in it."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ConfigurationError(f"--out {out} is a file; name a folder")
    present = {path.name for path in out.iterdir()}
    known = {table.name for table in contract.TABLES} | {TRUTH_FILE, LATER}
    if present and (TRUTH_FILE not in present or present - known):
        raise ConfigurationError(
            f"--out {out} is neither empty nor an earlier simulation; name a new folder or empty this one"
        )
