"""What took long to get is kept when a pull breaks off, however few rows it is."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from orchestration.connectors.base import Batch, Feed, Order
from orchestration.connectors.delivery import Delivery

ROWS = pa.table({"wallet_id": ["w"], "asset": ["ETH"], "balance": ["1"], "as_of": ["2026-03-04T00:00:00Z"]})


@pytest.mark.parametrize("is_durable", [True, False])
def test_a_small_batch_is_durable_if_it_says_so(tmp_path: Path, is_durable: bool) -> None:
    def delivery() -> Delivery:
        order = Order(date(2026, 3, 4))
        return Delivery(tmp_path, "chain", "evm", order, (Feed("wallet_balances"),), "digest")

    first = delivery()
    first.add(Batch("wallet_balances", ROWS, {"next": 1}, is_durable=is_durable))
    again = delivery()
    assert again.resume == ({"next": 1} if is_durable else None)
    assert len(again.parts["wallet_balances"]) == (1 if is_durable else 0)
