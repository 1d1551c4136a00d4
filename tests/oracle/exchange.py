"""The whole re-computation over one landing zone, assembled.

What belongs here: which part needs which. What doesn't: any formula.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from tests.oracle.affiliates import Affiliates
from tests.oracle.books import Books, read_books
from tests.oracle.equity import Equities
from tests.oracle.flows import Flows
from tests.oracle.ledger import Ledger
from tests.oracle.policy import Policy
from tests.oracle.prices import Prices
from tests.oracle.relations import Relations
from tests.oracle.reserves import Reserves
from tests.oracle.revenue import Revenue
from tests.oracle.tokens import Tokens
from tests.oracle.wallets import Wallets


class Exchange:
    """Everything DOMAIN.md says about one set of books under one policy."""

    def __init__(self, books: Books, policy: Policy | None = None):
        self.books = books
        self.policy = policy = policy or Policy()
        self.relations = Relations(books, policy)
        self.prices = Prices(books)
        self.ledger = Ledger(books, policy, self.relations, self.prices)
        self.wallets = Wallets(books, self.relations)
        sources: dict[str, Any] = {"books": books, "policy": policy, "relations": self.relations}
        figures: dict[str, Any] = {"prices": self.prices, "ledger": self.ledger}
        self.tokens = Tokens(**sources, **figures, wallets=self.wallets)
        self.equities = Equities(policy, self.prices, self.ledger, self.tokens)
        self.reserves = Reserves(policy=policy, **figures, wallets=self.wallets, tokens=self.tokens)
        self.affiliates = Affiliates(
            **sources, **figures, tokens=self.tokens, equities=self.equities, wallets=self.wallets
        )
        self.flows = Flows(**sources, **figures, wallets=self.wallets, tokens=self.tokens, reserves=self.reserves)
        self.revenue = Revenue(**sources, **figures, tokens=self.tokens)


def read_exchange(landing: Path, last_date: date, policy: Policy | None = None) -> Exchange:
    """The exchange as a run whose last date is ``last_date`` knows it."""
    return Exchange(read_books(landing, last_date), policy)
