"""A real EVM node for the tests, with contracts that they compile themselves.

Node and compiler are npm packages, locked in ``evm_node``; ``npm ci`` puts them there. Without them tests are skipped,
unless this is a CI run: there they must be.
"""

from __future__ import annotations

import functools
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import urllib3

from tests.support.outside import free_port, lacking

FOLDER = Path(__file__).parent / "evm_node"
INSTALL = "npm ci --ignore-scripts --no-audit --no-fund --prefix tests/connectors/evm_node"
MULTICALL3 = "0xca11bde05977b3631167028862be2a173976ca11"
CHAIN_ID = 31337
GAS_PRICE = 2_000_000_000


def missing(what: str) -> None:
    """Skip the test, or fail it in a CI run."""
    lacking(f"{what}; with Node.js 20 or later: {INSTALL}")


@functools.cache
def node_binary() -> Path:
    found = sorted((FOLDER / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil*"))
    if not found:
        missing("no EVM node is installed")
    return found[0]


@functools.cache
def contracts() -> dict[str, dict[str, Any]]:
    """By contract: ``deployment`` and ``runtime`` code, and ``selectors`` by signature."""
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "solc").is_dir():
        missing("no Solidity compiler is installed")
    done = subprocess.run([str(node), "compile.js"], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())


class Chain:
    """A running node whose blocks are mined when the test says so."""

    def __init__(self, url: str) -> None:
        self.url, self._http, self._ids = url, urllib3.PoolManager(), itertools.count()
        self.accounts: list[str] = []

    def ask(self, method: str, *params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}).encode()
        answer = json.loads(self.forward(body))
        assert "error" not in answer, (method, params, answer)
        return answer["result"]

    def forward(self, body: bytes) -> bytes:
        headers = {"content-type": "application/json"}
        return self._http.request("POST", self.url, body=body, headers=headers, timeout=30).data

    def send(self, sender: str, to: str | None = None, value: int = 0, data: str = "0x", gas: int = 3_000_000) -> str:
        """Queue a transaction for the next block; its gas price is always the same."""
        transaction = {"from": sender, "value": hex(value), "data": data}
        transaction |= {"gas": hex(gas), "gasPrice": hex(GAS_PRICE)} | ({"to": to} if to else {})
        return self.ask("eth_sendTransaction", transaction)

    def mine(self, moment: str) -> int:
        """A block of that time with what was queued; its number."""
        self.ask("evm_mine", seconds(moment))
        return int(self.ask("eth_blockNumber"), 16)

    def deploy(self, name: str, moment: str, *arguments: int) -> str:
        """The address of a new contract."""
        words = "".join(f"{argument:064x}" for argument in arguments)
        sent = self.send(self.accounts[0], data=contracts()[name]["deployment"] + words)
        self.mine(moment)
        return self.receipt(sent)["contractAddress"]

    def receipt(self, transaction: str) -> dict[str, Any]:
        return self.ask("eth_getTransactionReceipt", transaction)

    def paid(self, transaction: str) -> int:
        return int(self.receipt(transaction)["gasUsed"], 16) * GAS_PRICE


def calling(contract: str, signature: str, *arguments: str | int) -> str:
    """Call data for a function of one of the contracts: addresses as text, numbers as such."""
    words = (f"{argument:064x}" if isinstance(argument, int) else f"{argument[2:]:0>64}" for argument in arguments)
    return "0x" + contracts()[contract]["selectors"][signature] + "".join(words)


@contextmanager
def running_chain(genesis: str, *more: str) -> Iterator[Chain]:
    """A node whose first block is of that time; all but the last two blocks are final. ``more`` are its options."""
    binary, port = node_binary(), free_port()
    options = ["--port", str(port), "--silent", "--no-mining", "--timestamp", str(seconds(genesis))]
    options += ["--slots-in-an-epoch", "1", "--chain-id", str(CHAIN_ID), "--order", "fifo", *more]
    process = subprocess.Popen([str(binary), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        chain = Chain(f"http://127.0.0.1:{port}")
        _await(chain, process)
        chain.accounts = chain.ask("eth_accounts")
        yield chain
    finally:
        process.terminate()
        process.wait(10)


def _await(chain: Chain, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, "the node ended"
        try:
            chain.ask("eth_chainId")
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the node didn't answer within 10 s")
