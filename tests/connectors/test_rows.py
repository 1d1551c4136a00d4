"""Rows are written in the order in which a source gave them, however its answers came in pieces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration import contract
from orchestration.connectors.rows import write_rows

TRIES = 20
"""Written by two threads, a third of the files would have another order."""
SIZES = (0, 5, 0, 4, 4)


def transfers(first: int, size: int) -> pa.Table:
    rows = [
        {
            "transfer_id": f"transfer-{number:02}",
            "wallet_id": "hot",
            "asset": "BTC",
            "amount": "-1.5",
            "transfer_type": "withdrawal",
            "block_time": "2026-03-04T09:00:00Z",
            "recorded_at": "2026-03-04T09:00:00Z",
            "counterparty_address": None,
            "counterparty_wallet_id": None,
        }
        for number in range(first, first + size)
    ]
    return pa.Table.from_pylist(rows, pa.schema([(name, pa.string()) for name in TABLE.column_names]))


TABLE = contract.table("wallet_transfers")
PIECES = [transfers(sum(SIZES[:number]), size) for number, size in enumerate(SIZES)]


def stream() -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(
        PIECES[0].schema, (batch for piece in PIECES for batch in piece.to_batches())
    )


@pytest.mark.parametrize("rows", [lambda: pa.concat_tables(PIECES), stream], ids=["pieces", "stream"])
def test_rows_keep_the_order_in_which_they_came(
    rows: Callable[[], pa.Table | pa.RecordBatchReader], tmp_path: Path
) -> None:
    came = [f"transfer-{number:02}" for number in range(sum(SIZES))]
    for _ in range(TRIES):
        assert write_rows(TABLE, rows(), tmp_path / "rows.parquet") == sum(SIZES)
        assert pq.read_table(tmp_path / "rows.parquet")["transfer_id"].to_pylist() == came
