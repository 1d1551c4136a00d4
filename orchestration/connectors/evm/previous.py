"""The balances that this source delivered for the day before, to hold today's against.

What belongs here: reading the source's own last delivery. What doesn't: judging a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context
from pathlib import Path

import pyarrow.parquet as pq

from orchestration.connectors.delivery import last_manifest
from orchestration.connectors.evm.balances import Asset

_EXACT = Context(prec=200)


@dataclass(frozen=True)
class PreviousBalances:
    """Whole units by wallet and asset; none if there is no earlier delivery, or its file was moved away."""

    units: dict[str, dict[str, int]]
    decimals: dict[str, int]

    @classmethod
    def delivered(cls, landing: Path, source: str, day: date, assets: Sequence[Asset]) -> PreviousBalances:
        """What ``source`` delivered last before ``day`` of the assets that it still has."""
        decimals = {asset.name: asset.decimals for asset in assets}
        units: dict[str, dict[str, int]] = {}
        manifest = last_manifest(landing, source, before=day)
        for file in manifest.files if manifest is not None else ():
            if file.table == "wallet_balances" and (landing / file.file).is_file():
                rows = pq.ParquetFile(landing / file.file).read(["wallet_id", "asset", "balance"]).to_pydict()
                for wallet, asset, balance in zip(rows["wallet_id"], rows["asset"], rows["balance"], strict=True):
                    if asset in decimals:
                        whole = int(balance.scaleb(decimals[asset], _EXACT))
                        units.setdefault(wallet, {})[asset] = whole
        return cls(units, decimals)

    def of(self, wallet: str) -> dict[str, int]:
        """By asset, what a wallet had; none if it wasn't there."""
        return self.units.get(wallet, {})
