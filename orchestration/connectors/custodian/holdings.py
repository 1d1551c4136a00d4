"""What a custodian lists, held against the register of wallets: every wallet accounted for, nothing unknown unsaid.

What belongs here: whose a line is, what its amount is, what is missing or comes twice. What doesn't: where lines come
from (``api``, ``files``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from orchestration.connectors.base import SourceConfiguration
from orchestration.connectors.errors import AnswerError, EmptyAnswerError
from orchestration.connectors.limits import Limits
from orchestration.connectors.register import registered_wallets
from orchestration.errors import ConfigurationError
from orchestration.imports.amounts import EXACT, AmountError, parse_amount

NETWORK = "custodian"
_EPOCH_UNITS = ((10**11, 1), (10**14, 10**3), (10**17, 10**6))
_EPOCH = re.compile(r"\d{9,17}")
_AMBIGUOUS = re.compile(r"[+-]?\d{1,3},\d{3}")
_GROUPING = re.compile(r"[^\d,+-]")
_GROUPED_BY_POINTS = re.compile(r"[+-]?\d{1,3}(?:[.' \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]\d{3})+(?:,\d*)?")
_WITH_COMMA = re.compile(r"[+-]?\d*(?:,\d*)?(?:[eE][+-]?\d+)?")


class CustodianConfiguration(SourceConfiguration):
    """Whose accounts the custodian's lines are, and what it calls assets. For both ways of asking."""

    wallets: tuple[str, ...] = ()
    accounts: dict[str, str] = Field(default_factory=dict)
    assets: dict[str, str] = Field(default_factory=dict)
    unregistered_accounts: Literal["refuse", "leave_out"] = "refuse"
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Line:
    """One balance as the custodian lists it. ``as_of`` is in UTC without a zone.

    ``place`` says where it stands, for people; ``source`` tells files apart, which may say the same.
    """

    place: str
    account: str
    asset: str
    balance: Decimal
    as_of: datetime
    source: str = ""


class Register:
    """The wallets that this source is for, and how the custodian's accounts are told to be theirs.

    An account is a wallet's because ``accounts`` says so, or because it is its registered address. ``wallets`` are
    those that must be spoken of; by default those that ``accounts`` names, and without it all of the network.
    """

    def __init__(self, landing: Path, day: date, settings: CustodianConfiguration) -> None:
        """Raises ConfigurationError for a wallet that isn't registered, and what reading the register raises."""
        registered = registered_wallets(landing, NETWORK, day, with_address=not settings.accounts)
        known = {wallet.wallet_id for wallet in registered}
        named = set(settings.wallets) | set(settings.accounts.values())
        for wallet in sorted(named - known):
            raise ConfigurationError(
                f"wallet {wallet} isn't registered in network {NETWORK} for {day}; register it or mend its name"
            )
        self.expected = set(settings.wallets) or set(settings.accounts.values()) or known
        self._accounts, self._settings = settings.accounts, settings
        self._by_address: dict[str, tuple[str, ...]] = {}
        for found in registered:
            if address := _spelled(found.address):
                self._by_address[address] = (*self._by_address.get(address, ()), found.wallet_id)

    def wallets_of(self, line: Line, report: Callable[[str], None]) -> tuple[str, ...]:
        """Its wallet, none for an account to be left out; raise AnswerError for one that isn't registered.

        An account that is listed under several wallets has all of them: that it counts once is the warehouse's to say.
        """
        named = self._accounts.get(line.account)
        wallets = (named,) if named is not None else self._by_address.get(_spelled(line.account), ())
        if expected := tuple(wallet for wallet in wallets if wallet in self.expected):
            return expected
        if wallets:
            report(f"{line.place} is left out: wallet {wallets[0]} isn't one of this source")
            return ()
        if self._settings.unregistered_accounts == "refuse":
            raise AnswerError(
                f"{line.place}: account {line.account[:60]!r} holds {line.asset} and isn't registered as a wallet",
                "register it, or name its wallet in accounts; if it isn't the exchange's, say unregistered_accounts:"
                " leave_out",
            )
        report(f"{line.place} is left out: account {line.account[:60]!r} isn't registered")
        return ()


def _spelled(address: str) -> str:
    """An account as the warehouse compares those of custodians."""
    return "".join(address.split()).upper()


def balances_of(
    lines: Iterable[Line], register: Register, settings: CustodianConfiguration, report: Callable[[str], None]
) -> dict[str, list[Any]]:
    """The columns of ``wallet_balances``. Several accounts of one wallet are added up; two files may say the same.

    Raises AnswerError for an account that isn't registered or a balance that is listed twice otherwise.
    """
    listed: dict[tuple[str, str, datetime], Line] = {}
    totals: dict[tuple[str, str, datetime], Decimal] = {}
    for line in lines:
        wallets = register.wallets_of(line, report)
        if not wallets:
            continue
        asset = settings.assets.get(line.asset, line.asset)
        before = listed.setdefault((line.account, asset, line.as_of), line)
        if before is not line and before.source != line.source and before.balance == line.balance:
            continue
        if before is not line:
            raise AnswerError(
                f"{line.place}: the balance of {line.asset} in account {line.account[:60]!r} is listed twice",
                "see which one is right, or choose a column that tells them apart as account",
            )
        for wallet in wallets:
            key = (wallet, asset, line.as_of)
            totals[key] = EXACT.add(totals.get(key, Decimal(0)), line.balance)
    keys = sorted(totals)
    return {
        "wallet_id": [wallet for wallet, _, _ in keys],
        "asset": [asset for _, asset, _ in keys],
        "balance": [format(totals[key], "f") for key in keys],
        "as_of": [as_of for _, _, as_of in keys],
    }


def require_every_wallet(spoken_of: Iterable[str], register: Register, day: date) -> None:
    """Raise EmptyAnswerError for a wallet that the custodian said nothing of: that is no balance of zero."""
    silent = sorted(register.expected - set(spoken_of))
    if silent:
        more = f" and {len(silent) - 1} others" if len(silent) > 1 else ""
        raise EmptyAnswerError(
            f"nothing came for wallet {silent[0]}{more} of {day}, which counts as missing and not as zero",
            "ask the custodian; if the account is closed, end the wallet's validity in the register",
        )


def amount_of(value: Any, place: str, name: str, decimal_comma: bool | None = None) -> Decimal:
    """A balance that came as number or text, exactly; raise AnswerError for none and for what is no number.

    ``decimal_comma``: what a comma in a text means; if that isn't said, one that could mean either is refused.
    """
    if value is None or isinstance(value, bool | list | dict):
        raise AnswerError(f"{place}: {name} is no amount ({_shown(value)})", "mend columns, or ask the custodian")
    try:
        return parse_amount(_with_point(value, decimal_comma) if isinstance(value, str) else str(value))
    except AmountError as error:
        raise AnswerError(f"{place}: {name}: {error}", "mend columns, or ask the custodian") from error


def _with_point(text: str, decimal_comma: bool | None) -> str:
    """An amount's text as it is usually written; raise AmountError if it could be meant in two ways."""
    if decimal_comma:
        if _GROUPED_BY_POINTS.fullmatch(text):
            text = _GROUPING.sub("", text)
        if not _WITH_COMMA.fullmatch(text):
            raise AmountError(f"{text[:40]!r} is not a number with a decimal comma")
        return text.replace(",", ".")
    if decimal_comma is None and _AMBIGUOUS.fullmatch(text.strip()):
        raise AmountError(f"{text[:40]!r} may be a thousand times more or less; say whether there is a decimal_comma")
    return text


def moment_of(value: Any, place: str, name: str) -> datetime:
    """A time that came as ISO 8601 (UTC if it names no zone) or as seconds, milli- or microseconds since 1970."""
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    try:
        if _EPOCH.fullmatch(text):
            per_second = next(unit for limit, unit in _EPOCH_UNITS if int(text) < limit)
            return datetime(1970, 1, 1) + timedelta(microseconds=int(text) * (1_000_000 // per_second))
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise AnswerError(f"{place}: {name} is no time ({_shown(value)})", "mend columns") from error
    return in_utc(moment)


def in_utc(moment: datetime) -> datetime:
    """A moment in UTC without a zone; one that has none is in UTC already."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo is not None else moment


def text_of(value: Any, place: str, name: str) -> str:
    """A name that came as text or number; raise AnswerError if there is none."""
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise AnswerError(f"{place}: {name} is no name ({_shown(value)})", "mend columns, or ask the custodian")
    return str(value).strip()


def _shown(value: Any) -> str:
    return "nothing" if value in (None, "") else repr(value)[:60]
