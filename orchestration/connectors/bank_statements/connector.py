"""The connector: statement files of a folder, as closing balances and transfers of the registered bank accounts.

What belongs here: configuration, which statements are due, what is missing. What doesn't: formats and arithmetic, which
have modules of their own.

A statement counts for the day that its closing balance is of, and lands with the first pull of that day or a later one
that finds it. A balance is never made up: an account that sent no statement for a day is missing, and the day refused
or delivered without it, as configured. On ``closed_days`` the bank doesn't book, so that the last closing balance
stands; the next statement's opening balance has to bear it out.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from orchestration.connectors.bank_statements.accounts import normalised_account, wallets_by_account
from orchestration.connectors.bank_statements.camt053 import camt_pages
from orchestration.connectors.bank_statements.chain import Chain, ClosedDays
from orchestration.connectors.bank_statements.mt940 import mt940_pages
from orchestration.connectors.bank_statements.records import Kinds, Naming, Records, landed_identifiers
from orchestration.connectors.bank_statements.statements import Page, Statement, whole_statements
from orchestration.connectors.base import (
    Batch,
    Completed,
    Connector,
    Feed,
    Json,
    Order,
    Probe,
    Services,
    SourceConfiguration,
    require,
)
from orchestration.connectors.errors import AnswerError, EmptyAnswerError
from orchestration.connectors.limits import Limits
from orchestration.connectors.local_files import LocalFolder
from orchestration.connectors.register import registered_wallets
from orchestration.connectors.stored_files import ArrivedFile, FilePattern, Intake, PatternText, copy_of, look

NETWORK = "bank"
TransferType = Literal["deposit", "withdrawal", "internal", "network_fee", "other"]


def _closed_days(listed: tuple[str, ...]) -> tuple[str, ...]:
    ClosedDays(listed)
    return listed


def _form(text: str) -> str:
    names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    if "reference" not in names or not set(names) <= {"reference", "account"}:
        raise ValueError("it must have {reference} in it, may have {account}, and no other name in braces")
    return text


class BankStatementsConfiguration(SourceConfiguration):
    """Where the files lie, whose statements they are, and how the exchange's ledger refers to transfers."""

    folder: Path
    files: tuple[PatternText, ...] = Field(min_length=1)
    accounts: tuple[str, ...] = ()
    aliases: dict[str, str] = Field(default_factory=dict)
    assets: dict[str, str] = Field(default_factory=dict)
    transfer_id: Literal["account_servicer_reference", "end_to_end_id", "entry_reference"] = (
        "account_servicer_reference"
    )
    transfer_id_form: Annotated[str, AfterValidator(_form)] = "bank:{account}:{reference}"
    transfer_types: dict[str, TransferType] = Field(default_factory=dict)
    closed_days: Annotated[tuple[str, ...], AfterValidator(_closed_days)] = ()
    days_without_statement: Literal["refuse", "leave_out"] = "refuse"
    unregistered_accounts: Literal["refuse", "leave_out"] = "refuse"
    limits: Limits = Limits(max_megabytes=64)


class BankStatementsConnector(Connector):
    """CAMT.053 and MT940 files, told apart by what is in them."""

    configuration_class: ClassVar[type[SourceConfiguration]] = BankStatementsConfiguration

    def __init__(self, name: str, configuration: BankStatementsConfiguration, services: Services) -> None:
        super().__init__(name, configuration, services)
        self.settings = configuration
        self.storage = LocalFolder(configuration.folder)
        self.patterns = [FilePattern(text) for text in configuration.files]
        self.closed_days = ClosedDays(configuration.closed_days)
        spelled = {normalised_account(alias): account for alias, account in configuration.aliases.items()}
        self.aliases = {alias: normalised_account(account) for alias, account in spelled.items()}

    @classmethod
    def feeds_of(cls, configuration: Any) -> tuple[Feed, ...]:  # noqa: ARG003 (always the same tables)
        """Balances, and transfers: opening + entries = closing proves that none is missing, so none is an answer."""
        return (Feed("wallet_balances"), Feed("wallet_transfers", may_be_empty=True))

    def check(self) -> Iterator[Probe]:
        """The libraries, the folder, the last file of each pattern, and the register of wallets."""
        for module in ("lxml.etree", "mt940"):
            require(module, "bank")
        for pattern in self.patterns:
            probe = look(self.storage, pattern, pattern.text)
            yield probe
            if probe.works:
                yield self._read_last(pattern)
        yesterday = self.services.clock.now().date() - timedelta(days=1)
        registered = registered_wallets(self.services.landing, NETWORK, yesterday)
        wallets = wallets_by_account(registered, self.settings.accounts)
        yield Probe("wallets", True, f"{len(wallets)} registered bank accounts are expected to have statements")

    def _read_last(self, pattern: FilePattern) -> Probe:
        file = pattern.found_in(self.storage)[-1]
        with TemporaryDirectory(prefix="ringfence-") as folder:
            path = Path(folder) / "copy"
            copy_of(self.storage, file, self.settings.limits, path)
            statements = list(whole_statements(_pages(path.read_bytes(), file.shown, self.settings.limits)))
        accounts = sorted({f"{statement.account} in {statement.currency}" for statement in statements})
        return Probe(file.shown, True, f"{len(statements)} statements, of {', '.join(accounts[:5])}")

    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        """The statements that are due and weren't delivered, account by account, each after the one before."""
        pull = _Pull(self, order)
        pull.read_files()
        for chain_key in sorted(pull.due):
            pull.take_due(chain_key)
        pull.account_for_every_wallet()
        landed = landed_identifiers(self.services.landing, self.name, pull.records.transfers["transfer_id"])
        pull.records.number_repeated_names(landed)
        yield Batch("wallet_balances", self.table_of(pull.records.balances))
        yield Batch("wallet_transfers", self.table_of(pull.records.transfers))
        yield Completed(pull.position())


class _Pull:
    """One day's pull: what is known of each chain, what arrived, and the rows that come of it."""

    def __init__(self, connector: BankStatementsConnector, order: Order) -> None:
        self.connector, self.settings, self.order = connector, connector.settings, order
        self.report = connector.services.report
        stored = order.position or {}
        self.first_day = date.fromisoformat(stored.get("first_day", order.day.isoformat()))
        self.chains = {key: Chain.from_json(key, kept) for key, kept in stored.get("chains", {}).items()}
        registered = registered_wallets(connector.services.landing, NETWORK, order.day)
        self.wallets = wallets_by_account(registered, self.settings.accounts)
        self.kinds = Kinds(wallets_by_account(registered), self.settings.transfer_types)
        self.naming = Naming(self.settings.transfer_id, self.settings.transfer_id_form)
        self.records, self.due = Records(), dict[str, list[Statement]]()
        seen = stored.get("files", {})
        self.intakes = [
            Intake(connector.storage, pattern, self.settings.limits, order.day, seen.get(pattern.text))
            for pattern in connector.patterns
        ]

    def read_files(self) -> None:
        """Read what arrived; statements of later days are left for their day, and so is their file."""
        for intake in self.intakes:
            for file in intake.arrived():
                statements = list(self._statements(file))
                later = [statement.closes_on for statement in statements if statement.closes_on > self.order.day]
                if later:
                    intake.postpone(file, min(later))
                self._keep_due(statements)

    def _statements(self, file: ArrivedFile) -> Iterator[Statement]:
        shown = file.file.shown
        for written in whole_statements(_pages(file.read(), shown, self.settings.limits)):
            statement = replace(written, account=self.connector.aliases.get(written.account, written.account))
            if statement.account in self.wallets:
                yield statement
            elif self.settings.unregistered_accounts == "refuse":
                raise AnswerError(
                    f"{statement.place} is of account {statement.account}, which isn't registered as a wallet",
                    "register it; if its money isn't the exchange's, say unregistered_accounts: leave_out",
                )
            else:
                self.report(f"{statement.place} is left out: account {statement.account} isn't registered")

    def _keep_due(self, statements: list[Statement]) -> None:
        for statement in statements:
            if statement.closes_on <= self.order.day:
                key = f"{statement.account} {statement.currency}"
                self.chains.setdefault(key, Chain(statement.account, statement.currency))
                self.due.setdefault(key, []).append(statement)

    def take_due(self, key: str) -> None:
        """Take a chain's statements, each after the one whose closing balance it opens with."""
        chain = self.chains[key]
        left = sorted(self.due[key], key=lambda statement: (statement.closes_on, _number(statement.identifier)))
        while left:
            first = [statement for statement in left if statement.closes_on == left[0].closes_on]
            fitting = [statement for statement in first if chain.knows(statement) or statement.opening == chain.closing]
            statement = (fitting or first)[0]
            left.remove(statement)
            if chain.knows(statement):
                self.report(f"{statement.place} came before and is passed over")
            else:
                self._take(chain, statement)

    def _take(self, chain: Chain, statement: Statement) -> None:
        previous, as_of = chain.as_of, chain.take(statement)
        if statement.left_out:
            self.report(f"{statement.place}: {statement.left_out} entries that aren't booked are left out")
        if statement.closes_on < self.first_day:
            self.report(f"{statement.place} is from before the first pull and only its closing balance is kept")
            return
        if statement.closes_on < self.order.day:
            self.report(f"{statement.place} of {statement.closes_on} comes late")
        wallets, asset = self.wallets[statement.account], self._asset(statement.currency)
        self.records.add_balance(wallets, asset, statement.closing, as_of)
        self.records.add_transfers(statement, wallets, asset, previous, as_of, self.naming, self.kinds)

    def _asset(self, currency: str) -> str:
        return self.settings.assets.get(currency, currency)

    def account_for_every_wallet(self) -> None:
        """Say of every expected account and currency what it held at the day's end, or that it is missing."""
        for account in sorted(set(self.wallets) - {chain.account for chain in self.chains.values()}):
            wallet = self.wallets[account][0]
            self._miss(f"no statement of account {account} (wallet {wallet}) has come, up to {self.order.day}")
        for _, chain in sorted(self.chains.items()):
            if chain.account not in self.wallets or chain.day == self.order.day:
                continue
            if chain.closing is not None and chain.stands_still(self.order.day, self.connector.closed_days):
                wallets, as_of = self.wallets[chain.account], chain.stand_still(self.order.day)
                self.records.add_balance(wallets, self._asset(chain.currency), chain.closing, as_of)
            else:
                self._miss(
                    f"no statement of account {chain.account} in {chain.currency} closes on {self.order.day}; the last"
                    f" one is of {chain.day}"
                )

    def _miss(self, what: str) -> None:
        if self.settings.days_without_statement == "refuse":
            raise EmptyAnswerError(
                f"{what}, which counts as missing",
                "pull again when it has come; if the bank doesn't book on that day, add it to closed_days",
            )
        self.report(f"{what}; the day is delivered without it")

    def position(self) -> Json:
        """What the next pull goes on from."""
        files = {intake.pattern.text: intake.seen for intake in self.intakes}
        chains = {key: chain.as_json(self.order.day) for key, chain in sorted(self.chains.items())}
        return {"first_day": self.first_day.isoformat(), "chains": chains, "files": files}


def _pages(content: bytes, place: str, limits: Limits) -> tuple[Page, ...]:
    """A file's pages, by the format that its first sign tells."""
    start = content[:1000].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
        return camt_pages(content, place, limits)
    if start.startswith((b":20:", b"{1:", b"{4:", b"-\n", b"-\r\n")):
        return mt940_pages(content, place)
    if not start:
        raise EmptyAnswerError(f"{place} is empty, which counts as missing", "get it from the bank again")
    raise AnswerError(f"{place} is neither CAMT.053 nor MT940", "order one of them from the bank, or mend files")


def _number(identifier: str) -> tuple[int, str]:
    """Statements' identifiers in the order of their numbers, where they are numbers."""
    return (int(identifier) if identifier.isdecimal() else 0, identifier)


__all__ = ["BankStatementsConfiguration", "BankStatementsConnector"]
