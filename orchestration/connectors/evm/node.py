"""A node: requests by method, one at a time or in batches, with answers or errors that say which request.

What belongs here: sending and what an error means. What doesn't: what is asked (``blocks``, ``balances``, …).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestration.connectors.base import require
from orchestration.connectors.errors import AnswerError, IncompleteError
from orchestration.connectors.http import HttpClient

Call = tuple[str, list[Any]]
"""A method and its parameters."""


class RpcError(AnswerError):
    """The node refused a request: ``code`` and ``message`` are its own."""

    def __init__(self, method: str, error: Any) -> None:
        self.code = error.get("code") if isinstance(error, dict) else None
        self.message = " ".join(str(error.get("message") if isinstance(error, dict) else error).split())[:200]
        remedy = "see what the node's operator says of it"
        if self.code == -32601:
            remedy = "ask a node that offers this method"
        elif "missing trie node" in self.message or "state" in self.message or "historical" in self.message:
            remedy = "ask a node that keeps the state of that block (an archive node), or pull soon after the day's end"
        super().__init__(f"{method}: error {self.code}: {self.message}", remedy)


class Node:
    """A node behind an HttpClient, through web3's provider interface. ``batch_size`` 1: never in batches."""

    def __init__(self, client: HttpClient, batch_size: int) -> None:
        self.batch_size = batch_size
        provider = require("orchestration.connectors.evm.provider", "evm")
        self.web3 = require("web3", "evm").Web3(provider.ClientProvider(client), middleware=[])

    def ask(self, method: str, *params: Any) -> Any:
        """The result, null included; raise RpcError if the node refuses."""
        return _result(method, self.web3.provider.make_request(method, list(params)))

    def ask_all(self, calls: Sequence[Call], most: int | None = None) -> list[Any]:
        """The results of all calls, in their order, ``most`` (or ``batch_size``) at a time; all of them or an error."""
        size = min(most or self.batch_size, self.batch_size)
        if size == 1:
            return [self.ask(method, *params) for method, params in calls]
        results: list[Any] = []
        for begin in range(0, len(calls), size):
            part = calls[begin : begin + size]
            answers = self.web3.provider.make_batch_request(part)
            if isinstance(answers, dict):
                refusal = RpcError(f"a batch of {len(part)} requests", answers["error"])
                raise RpcRefusedBatchError(refusal)
            results += [_result(method, answer) for (method, _), answer in zip(part, answers, strict=True)]
        return results


class RpcRefusedBatchError(AnswerError):
    """The node refused a whole batch."""

    def __init__(self, refusal: RpcError) -> None:
        super().__init__(refusal.problem, "lower batch_size; 1 asks one at a time")


def _result(method: str, envelope: Any) -> Any:
    if envelope.get("error") is not None:
        raise RpcError(method, envelope["error"])
    if "result" not in envelope:
        raise IncompleteError(f"{method}: an answer with neither result nor error", "ask another node")
    return envelope["result"]
