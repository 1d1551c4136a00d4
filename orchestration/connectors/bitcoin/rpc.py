"""Bitcoin Core's JSON-RPC: calls in batches, errors in words.

What belongs here: asking and telling errors apart. What doesn't: what is asked (``core``).

Every call goes in a batch, even a single one: a batch is answered with status 200 and an error for each call, by old
and new versions alike, where a single call's error came as status 500.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestration.connectors.base import Services
from orchestration.connectors.errors import AnswerError, UnreachableError
from orchestration.connectors.http import HttpClient

WARMING_UP, IN_USE = -28, -8
_REMEDIES = {
    -1: "see whether the node has the block with its undo data (prune=0 keeps all)",
    -5: "see whether the node is on the right chain and has caught up",
    -8: "see whether the node has caught up with the chain",
    -32601: "this needs Bitcoin Core 23 or later",
}


class CallError(AnswerError):
    """The node refused a call; ``code`` is Core's."""

    def __init__(self, method: str, code: int, message: str) -> None:
        words = "".join(sign if sign.isprintable() else " " for sign in message[:200])
        remedy = _REMEDIES.get(code, "see the node's log")
        if "pruned" in message:
            words += " (the node keeps recent blocks only)"
            remedy = "pull from a node that keeps all blocks (prune=0), or days that this one still has"
        super().__init__(f"{method}: error {code}, {words}", remedy)
        self.code, self.message = code, message


class Rpc:
    """One node. A node that is starting is waited for, as long as ``http.attempts`` allow."""

    def __init__(self, client: HttpClient, services: Services) -> None:
        self.client, self.services = client, services

    def call(self, method: str, *parameters: Any) -> Any:
        """The result of one call; raise CallError if the node refuses it."""
        return self.batch(method, [parameters])[0]

    def batch(self, method: str, parameters: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of one method for several sets of parameters, in their order."""
        calls = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": list(given)}
            for number, given in enumerate(parameters)
        ]
        for attempt in range(self.client.settings.attempts):
            answers = _by_number(self.client.post_json(body=calls), len(calls), method)
            problem = next((error for answer in answers if (error := _error(answer, method)) is not None), None)
            if problem is None:
                return [answer.get("result") for answer in answers]
            if problem.code != WARMING_UP:
                raise problem
            self.services.report(f"the node is starting: {problem.message[:80]}")
            self.services.clock.sleep(min(30.0, 2.0**attempt))
        raise UnreachableError("the node is still starting (error -28)", "pull again when it is up")


def _by_number(answers: Any, count: int, method: str) -> list[dict[str, Any]]:
    """Answers in the order of the calls; raise AnswerError unless there is exactly one for each."""
    if isinstance(answers, dict) and (error := _error(answers, method)) is not None:
        raise error
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        raise AnswerError(f"{method}: no answer to a batch of calls", "see what answers at that address")
    by_number = {answer.get("id"): answer for answer in answers}
    if len(answers) != count or set(by_number) != set(range(count)):
        raise AnswerError(
            f"{method}: {len(answers)} answers to {count} calls, or not theirs", "see what answers at that address"
        )
    return [by_number[number] for number in range(count)]


def _error(answer: dict[str, Any], method: str) -> CallError | None:
    error = answer.get("error")
    if error is None:
        return None
    if not isinstance(error, dict) or type(error.get("code")) is not int:
        return CallError(method, 0, str(error))
    return CallError(method, error["code"], str(error.get("message")))
