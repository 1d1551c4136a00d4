"""Deposits to a venue and withdrawals from it, up to the moment of the balance that they explain.

What belongs here: reading them to their true end, and each once. What doesn't: trades, which aren't transfers.

A venue lists a transfer when it is begun and says later that it is done. Only what is done is delivered, with the
moment it changed the balance: for a deposit when it was credited, if the venue says so; for a withdrawal when it was
asked for, since that is when venues take the money. So what was begun up to ``lookback_days`` ago is read again each
time; what was delivered before is left out by the delivery.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from orchestration.connectors.errors import AnswerError, IncompleteError
from orchestration.connectors.numbers import exactly, milliseconds_of, moment_of, number_of
from orchestration.connectors.venue.configuration import Balances
from orchestration.connectors.venue.exchange import Exchange
from orchestration.errors import ConfigurationError

_PAGE = 100
_MOST_PAGES = 10_000
_STEPS = (-1, 0, 1, 1_001)
"""Milliseconds to go beyond a page's last moment, after so many pages without anything new. Whether the moment asked
for belongs to a page differs between venues, and some count in seconds."""
_LOOSE = 2_000
_ENDS = {"binance": ("endTime",), "binanceus": ("endTime",)}
"""The venue's own name of the end, where ccxt puts another one in its place."""
_DONE, _NOT_DONE = "ok", frozenset({"pending", "failed", "canceled"})
_TYPES = ("deposit", "withdrawal")


def moved(
    exchange: Exchange, settings: Balances, wallet: str, since: datetime, until: datetime, first: datetime
) -> dict[str, list[Any]]:
    """Rows of wallet_transfers from ``first`` until ``until``, of what was begun from ``since`` on, in order of time.

    What came before ``first`` is in the account's first balance.
    """
    rows: list[dict[str, Any]] = []
    for kind, transfer in _listed(exchange, since, until):
        name = f"{wallet}:{kind}:{_identifier(exchange, transfer)}"
        if not _is_done(exchange, transfer, name):
            continue
        moment = _moment(transfer, kind, name)
        if first <= moment < until:
            rows += _rows(settings, wallet, kind, transfer, name, moment)
    rows.sort(key=lambda row: (row["block_time"], row["transfer_id"]))
    columns = ("transfer_id", "wallet_id", "counterparty_address", "asset", "amount", "transfer_type")
    return {column: [row[column] for row in rows] for column in (*columns, "block_time", "recorded_at")}


def _listed(exchange: Exchange, since: datetime, until: datetime) -> list[tuple[str, Mapping[str, Any]]]:
    if exchange.offers("fetchDeposits") and exchange.offers("fetchWithdrawals"):
        return [
            (kind, transfer)
            for kind, method in (("deposit", "fetch_deposits"), ("withdrawal", "fetch_withdrawals"))
            for transfer in _all(exchange, method, since, until)
        ]
    if not exchange.offers("fetchDepositsWithdrawals"):
        raise ConfigurationError(
            f"ccxt has no deposits and withdrawals of {exchange.venue}; take balances.transfers away"
        )
    both = _all(exchange, "fetch_deposits_withdrawals", since, until)
    if unknown := next((one for one in both if one.get("type") not in _TYPES), None):
        raise AnswerError(f"{exchange.venue} lists a transfer of type {unknown.get('type')!r}", "try a newer ccxt")
    return [(str(transfer["type"]), transfer) for transfer in both]


def _all(exchange: Exchange, method: str, since: datetime, until: datetime) -> list[Mapping[str, Any]]:
    """Every transfer between two moments. Venues cut long lists at either end, so both ends are asked on from.

    The end of a list is a page without anything; neither a short page nor one on which nothing is new.
    """
    found: dict[str, Mapping[str, Any]] = {}
    first, last = milliseconds_of(since), milliseconds_of(until)
    begin, end, stale = first, last, 0
    for _ in range(_MOST_PAGES):
        moments, is_new = _page(exchange, method, first, end, found) if end >= first else ([], False)
        if not moments:
            break
        stale = 0 if is_new else stale + 1
        begin, end = max(begin, *moments), min(moments) - _STEPS[min(stale, 3)]
    stale = 0
    for _ in range(_MOST_PAGES):
        moments, is_new = _page(exchange, method, begin, last, found) if begin <= last else ([], False)
        if not moments:
            return list(found.values())
        stale = 0 if is_new else stale + 1
        begin = max(moments) + _STEPS[min(stale, 3)]
    raise IncompleteError(f"{exchange.venue}'s {method} has no end", "its paging can't be trusted")


def _page(
    exchange: Exchange, method: str, begin: int, end: int, found: dict[str, Mapping[str, Any]]
) -> tuple[list[int], bool]:
    """Put the transfers that are listed between two moments into ``found``; return their moments, and if any was new.

    Raises IncompleteError for a venue that pays no heed to the end asked for: what it cut off can't be reached.
    """
    ends = {"until": end, **dict.fromkeys(_ENDS.get(exchange.venue, ()), end)}
    page = exchange.ask(method, None, begin, _PAGE, ends)
    moments = [milliseconds_of(moment_of(one["timestamp"], f"a time of {method}")) for one in page]
    if max(moments, default=0) > end + _LOOSE:
        raise IncompleteError(
            f"{exchange.venue}'s {method} pays no heed to the end asked for, so what it leaves out can't be told",
            "take balances.transfers away, or try a newer ccxt",
        )
    if len(page) >= _PAGE and len(set(moments)) == 1:
        raise IncompleteError(f"{exchange.venue} lists too many transfers of one moment", "they can't be told apart")
    names = [_identifier(exchange, one) for one in page]
    is_new = any(name not in found for name in names)
    found.update(zip(names, page, strict=True))
    return moments, is_new


def _identifier(exchange: Exchange, transfer: Mapping[str, Any]) -> str:
    name = transfer.get("id") or transfer.get("txid")
    if not name:
        raise AnswerError(f"{exchange.venue} lists a transfer without an identifier", "it can't be told from others")
    return str(name)


def _is_done(exchange: Exchange, transfer: Mapping[str, Any], name: str) -> bool:
    status = transfer.get("status")
    if status != _DONE and status not in _NOT_DONE:
        raise AnswerError(f"{exchange.venue} says of transfer {name} that it is {status!r}", "try a newer ccxt")
    return bool(status == _DONE)


def _moment(transfer: Mapping[str, Any], kind: str, name: str) -> datetime:
    credited = transfer.get("updated") if kind == "deposit" else None
    return moment_of(credited or transfer["timestamp"], f"the time of {name}")


def _rows(
    settings: Balances, wallet: str, kind: str, transfer: Mapping[str, Any], name: str, moment: datetime
) -> list[dict[str, Any]]:
    code = str(transfer["currency"])
    if code in settings.left_out:
        return []
    amount = number_of(transfer["amount"], f"the amount of {name}")
    fee = transfer.get("fee") or {}
    cost = number_of(fee.get("cost") or "0", f"the fee of {name}")
    if amount <= 0 or cost < 0:
        raise AnswerError(f"transfer {name} is of {amount} with a fee of {cost}", "see what the venue says of it")
    counterparty = transfer.get("addressFrom") if kind == "deposit" else None
    if kind == "withdrawal":
        counterparty = transfer.get("addressTo") or transfer.get("address")
    row = {
        "transfer_id": name,
        "wallet_id": wallet,
        "counterparty_address": counterparty or None,
        "asset": settings.assets.get(code, code),
        "amount": _signed(amount, kind == "deposit"),
        "transfer_type": kind,  # what venues call internal goes to another of their customers
        "block_time": moment,
        "recorded_at": moment,
    }
    if not cost or settings.transfers is None or settings.transfers.fees == "within":
        return [row]
    of = str(fee.get("currency") or code)
    charged = {
        "transfer_id": f"{name}:fee",
        "counterparty_address": None,
        "asset": settings.assets.get(of, of),
        "amount": _signed(cost, False),
        "transfer_type": "network_fee",
    }
    return [row, row | charged]


def _signed(amount: Decimal, is_received: bool) -> str:
    with exactly():
        return format(amount if is_received else -amount, "f")
