"""What an account at a venue holds, by asset, over all its kinds of account.

What belongs here: adding up without counting anything twice or leaving anything out. What doesn't: when it was so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from orchestration.connectors.errors import AnswerError, EmptyAnswerError, IncompleteError
from orchestration.connectors.numbers import exactly, number_of
from orchestration.connectors.paging import Page, pages
from orchestration.connectors.venue.configuration import Balances
from orchestration.connectors.venue.exchange import Exchange


def held(exchange: Exchange, settings: Balances) -> dict[str, Decimal]:
    """Units held by asset, free and in orders together, in order of asset.

    Raises EmptyAnswerError if the venue lists nothing, AnswerError for a debt (what is borrowed isn't the exchange's,
    and what is left can't be told from it) and IncompleteError if kinds of account can't be told apart.
    """
    totals: dict[str, Decimal] = defaultdict(Decimal)
    asked: dict[str, str] = {}
    exchange.ask("load_markets")
    with exactly():
        for account in settings.accounts or ("",):
            for code, amount in _of_account(exchange, account):
                totals[code] += amount
            _require_another(asked, exchange, account)
    if not totals:
        raise EmptyAnswerError(
            f"{exchange.venue} lists no balance at all, which counts as missing and not as zero",
            "see whether the key belongs to the right account; an account that was closed is taken out of the sources",
        )
    return _by_asset(totals, settings)


def _of_account(exchange: Exchange, account: str) -> Iterator[tuple[str, Decimal]]:
    parameters = {"type": account} if account else {}

    def fetch(cursor: Any) -> Page:
        exchange.names.clear()
        answer = exchange.ask("fetch_balance", {**parameters, **(cursor or {})})
        _require_one_name(exchange)
        return Page(_entries(exchange, answer), _next_page(exchange, answer.get("info")))

    for page in pages(fetch, f"balances at {exchange.venue}", most=1000):
        yield from page.items


def _entries(exchange: Exchange, answer: dict[str, Any]) -> list[tuple[str, Decimal]]:
    debts = {code: number_of(debt, f"the debt in {code}") for code, debt in answer.get("debt", {}).items() if debt}
    if owed := sorted(code for code, debt in debts.items() if debt):
        raise AnswerError(
            f"the account at {exchange.venue} owes {format(debts[owed[0]], 'f')} {owed[0]}, and what is borrowed is no"
            " reserve",
            "leave this kind of account out of accounts, or repay",
        )
    entries = []
    for code, total in answer["total"].items():
        if total is None:
            raise AnswerError(f"{exchange.venue} states no total of {code}", "name the kinds of account in accounts")
        entries.append((code, number_of(total, f"the balance of {code} at {exchange.venue}")))
    return entries


def _require_one_name(exchange: Exchange) -> None:
    """Raise AnswerError if the venue lists a currency under two names: ccxt keeps the last one's balance only."""
    for code, names in sorted(exchange.names.items()):
        if len(names) > 1:
            raise AnswerError(
                f"{exchange.venue} lists {code} under two names ({', '.join(sorted(names))}), of which ccxt keeps one",
                "see whether a newer ccxt tells them apart; until then this account can't be read whole",
            )


def _next_page(exchange: Exchange, info: Any) -> dict[str, Any] | None:
    """What to ask with for the next page, None if the venue says that this is the last, or says nothing of pages."""
    if not isinstance(info, dict):
        return None
    paging = info.get("pagination")
    following = str(paging.get("next_uri") or "") if isinstance(paging, dict) else ""
    query = {name: value for name, value in parse_qsl(urlsplit(following).query) if name != "limit"}
    has_more = bool(following) or str(info.get("has_next")).lower() == "true"
    if info.get("cursor"):
        query["cursor"] = info["cursor"]
    if has_more and not query:
        raise IncompleteError(f"{exchange.venue} has more balances and doesn't say where", "try a newer ccxt")
    return query if has_more else None


def _require_another(asked: dict[str, str], exchange: Exchange, account: str) -> None:
    """Raise IncompleteError if two kinds of account came to the same question: its answer would count twice.

    Some venues know one kind only; ccxt then passes the word on, and the venue doesn't read it.
    """
    api, method, path, parameters = exchange.question
    rest = {name: value for name, value in parameters.items() if (name, value) != ("type", account)}
    question = repr((api, method, path, sorted(rest.items(), key=str)))
    if question in asked:
        raise IncompleteError(
            f"{exchange.venue} is asked the same for the accounts {asked[question]} and {account}: that counts twice",
            "name one of them only",
        )
    asked[question] = account


def _by_asset(totals: dict[str, Decimal], settings: Balances) -> dict[str, Decimal]:
    assets: dict[str, Decimal] = defaultdict(Decimal)
    with exactly():
        for code, amount in totals.items():
            if code not in settings.left_out and (amount or code in settings.assets):
                assets[settings.assets.get(code, code)] += amount
    if settings.absent_is_zero:
        for asset in settings.assets.values():
            assets.setdefault(asset, Decimal())
    return dict(sorted(assets.items()))
