"""How fast the EVM connector reads balances: python -m tests.connectors.evm_throughput [wallets] [tokens] [rounds].

Wallets times tokens (and the native asset) at one block of a local node, whole pulls, once through Multicall3 and once
in batches; the median of the rounds.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq

from orchestration.connectors.base import Clock
from orchestration.connectors.configuration import Source
from orchestration.connectors.evm import EvmConfiguration
from orchestration.connectors.evm.provider import ClientProvider
from orchestration.connectors.kinds import kinds_by_name
from orchestration.connectors.pulling import pull_day
from orchestration.contract import table
from tests.connectors.evm_chain import CHAIN_ID, MULTICALL3, Chain, calling, contracts, running_chain

DAY = date(2026, 3, 4)
FIRST = 0x1000000000000000000000000000000000000000


@dataclass
class Measured:
    """One pull. ``processor`` is this process's time on it, in seconds; the node takes its own."""

    seconds: float
    processor: float
    requests: int


def prepare(chain: Chain, wallets: int, tokens: int) -> list[str]:
    """Deploy the tokens and give every wallet some of each."""
    chain.ask("anvil_setCode", MULTICALL3, contracts()["Multicall"]["runtime"])
    deployed = [chain.deploy("Token", f"2026-03-04T01:{number:02}:00", 6) for number in range(tokens)]
    for number, token in enumerate(deployed):
        for begin in range(0, wallets, 500):
            first = f"0x{FIRST + begin:040x}"
            spread = calling("Token", "spread(address,uint256,uint256)", first, min(500, wallets - begin), 10**6)
            sent = chain.send(chain.accounts[0], token, 0, spread, gas=14_000_000)
        chain.mine(f"2026-03-04T02:{number:02}:00")
        assert chain.receipt(sent)["status"] == "0x1"
    for minute in range(3):
        chain.mine(f"2026-03-05T00:0{minute}:00")
    return deployed


def register(landing: Path, wallets: int) -> None:
    names = table("wallets").column_names
    common = {"network": "ethereum", "owner_entity_id": "operator", "purpose": "customer", "custody": "hot"}
    common |= {
        "encumbered_pct": "0",
        "ownership_proof": "none",
        "valid_from": "2026-01-01",
        "recorded_at": "2026-01-01",
    }
    lines = [",".join(names)]
    for number in range(wallets):
        row = {**common, "wallet_id": f"wallet-{number:05}", "address": f"0x{FIRST + number:040x}"}
        lines.append(",".join(row.get(name, "") for name in names))
    (landing / "wallets").mkdir(parents=True)
    (landing / "wallets" / "registered.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def measure(chain: Chain, tokens: list[str], wallets: int, **settings: Any) -> Measured:
    section = {
        "kind": "evm",
        "url": chain.url,
        "network": "ethereum",
        "chain_id": CHAIN_ID,
        "native_asset": "ETH",
        "tokens": {f"T{number:02}": {"contract": token, "decimals": 6} for number, token in enumerate(tokens)},
        "native_transfers": "none",
        "http": {"requests_per_second": 10_000},
        **settings,
    }
    source = Source("chain", kinds_by_name()["evm"], EvmConfiguration.model_validate(section))
    requests = 0
    post = ClientProvider._post

    def counted(self: ClientProvider, body: Any) -> Any:
        nonlocal requests
        requests += 1
        return post(self, body)

    with TemporaryDirectory() as folder:
        register(Path(folder), wallets)
        ClientProvider._post = counted  # type: ignore[method-assign]
        try:
            began, used = time.perf_counter(), time.process_time()
            pull_day(source, Path(folder), DAY, Clock(now=lambda: datetime(2026, 3, 6)))
            seconds, processor = time.perf_counter() - began, time.process_time() - used
        finally:
            ClientProvider._post = post  # type: ignore[method-assign]
        rows = pq.ParquetFile(Path(folder) / "wallet_balances" / f"date={DAY}" / "chain.parquet").read()
    assert rows.num_rows == wallets * (len(tokens) + 1)
    held = dict(zip(rows["wallet_id"].to_pylist(), rows["balance"].to_pylist(), strict=True))
    assert held[f"wallet-{wallets - 1:05}"] == Decimal((wallets - 1) % 500 + 1)
    return Measured(seconds, processor, requests)


def main(wallets: int = 10_000, tokens: int = 20, rounds: int = 3) -> None:
    with running_chain("2026-03-04T00:00:00", "--disable-block-gas-limit") as chain:
        deployed = prepare(chain, wallets, tokens)
        for name, settings in (("Multicall3", {}), ("batches of 100", {"multicall": None})):
            runs = [measure(chain, deployed, wallets, **settings) for _ in range(rounds)]
            seconds, balances = statistics.median(run.seconds for run in runs), wallets * (tokens + 1)
            processor = statistics.median(run.processor for run in runs)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{name}: {balances:,} balances in {seconds:.1f} s ({balances / seconds:,.0f} a second),"
                f" {processor:.1f} s of this process's own, {runs[0].requests:,} requests, at most {memory:,.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
