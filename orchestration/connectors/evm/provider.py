"""web3's provider on our HTTP client, so that deadlines, retries, rate limits and bounds hold under the library too.

What belongs here: requests and their answers as JSON-RPC has them, matched by identifier. What doesn't: methods of a
node. Importing this module needs web3, so that only ``node`` does, when it works.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from web3.providers import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from orchestration.connectors.errors import IncompleteError, StatusError
from orchestration.connectors.http import HttpClient
from orchestration.connectors.limits import json_value

_BUSY_CODES = frozenset({429, -32005, -32016, -32029})
_BUSY = re.compile(r"rate.?limit|too many requests|request rate|compute units|capacity|try again|busy|overloaded", re.I)
_TOO_MUCH = re.compile(r"results|logs|range|response size|batch", re.I)


class ClientProvider(JSONBaseProvider):
    """Sends requests through an HttpClient; answers are the JSON-RPC envelopes, checked to be those asked for."""

    def __init__(self, client: HttpClient) -> None:
        super().__init__()
        self.client = client

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """The envelope that answers one request; raise IncompleteError if it answers another."""
        request = self._request(method, params)
        (answer,) = _matched([request], [self._post(request)])
        return answer

    def make_batch_request(self, requests: list[tuple[RPCEndpoint, Any]]) -> list[RPCResponse] | RPCResponse:
        """The envelopes that answer the requests, in their order, or the one that refuses all of them.

        Raises IncompleteError if an answer is missing, comes twice or wasn't asked for.
        """
        sent = [self._request(method, params) for method, params in requests]
        answer = self._post(sent)
        if isinstance(answer, dict) and "error" in answer:
            return answer  # type: ignore[return-value]
        return _matched(sent, answer)

    def _request(self, method: str, params: Any) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self.request_counter), "method": method, "params": list(params)}

    def _post(self, body: Any) -> Any:
        try:
            return self.client.post_json(body=body, busy=busy)
        except StatusError as error:
            refusal = _refusal(error)
            if refusal is None:
                raise
            return refusal


def busy(answer: Any) -> str | None:
    """Why a JSON-RPC answer, or one of a batch, is worth another try: the server limits requests. None if it isn't."""
    for envelope in answer if isinstance(answer, list) else [answer]:
        error = envelope.get("error") if isinstance(envelope, dict) else None
        if isinstance(error, dict):
            code, message = error.get("code"), " ".join(str(error.get("message")).split())
            # The code of a limited rate is used for answers that are too large, too: those will be again.
            if (code in _BUSY_CODES or _BUSY.search(message)) and not _TOO_MUCH.search(message):
                return f"error {code}: {message[:120]}"
    return None


def _refusal(error: StatusError) -> dict[str, Any] | None:
    """The JSON-RPC error that some nodes send with a status of refusal."""
    try:
        answer = json_value(error.body.decode())
    except ValueError:
        return None
    refused = isinstance(answer, dict) and isinstance(answer.get("error"), dict)
    return {"id": None, **answer} if refused and "code" in answer["error"] else None


def _matched(requests: Sequence[dict[str, Any]], answers: Any) -> list[RPCResponse]:
    if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
        raise IncompleteError("the node's answer is no JSON-RPC", "see what answers at that address")
    if len(requests) == 1 and len(answers) == 1 and answers[0].get("id") is None and "error" in answers[0]:
        return answers  # a refusal before the request was understood names none
    by_id = {repr(answer.get("id")): answer for answer in answers}
    asked = [repr(request["id"]) for request in requests]
    if len(by_id) < len(answers):
        raise IncompleteError("the node answered one request of a batch twice", "ask another node")
    if missing := [name for name in asked if name not in by_id]:
        what = f"{len(missing)} of {len(asked)} requests" if len(asked) > 1 else "the request"
        raise IncompleteError(f"the node left {what} without an answer", "ask another node, or lower batch_size")
    if len(by_id) > len(asked):
        raise IncompleteError("the node answered requests that weren't made", "ask another node")
    return [by_id[name] for name in asked]
