"""Account numbers: one spelling, the same as the warehouse compares them in, and the check digits of an IBAN.

What belongs here: spelling and checking. What doesn't: whose account it is (``orchestration.connectors.register``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from orchestration.connectors.register import RegisteredWallet
from orchestration.errors import ConfigurationError

_SEPARATORS = re.compile(r"[^0-9A-Z]")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}")


def normalised_account(text: str) -> str:
    """An account number in upper case, without separators and a leading ``IBAN``; empty if nothing is left."""
    return _SEPARATORS.sub("", text.upper()).removeprefix("IBAN")


def looks_like_iban(account: str) -> bool:
    """Whether a normalised account number is written as an IBAN is."""
    return _IBAN.fullmatch(account) is not None


def is_iban(account: str) -> bool:
    """Whether a normalised account number is an IBAN with right check digits (ISO 13616: modulo 97)."""
    if not looks_like_iban(account):
        return False
    return int("".join(str(int(sign, 36)) for sign in account[4:] + account[:4])) % 97 == 1


def wallets_by_account(wallets: Iterable[RegisteredWallet], wanted: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
    """The wallets of each registered account number; only of the ``wanted`` ones if there are any.

    An account that is listed under several wallets has all of them: that it counts once is the warehouse's to say.
    Raises ConfigurationError for a wanted account that isn't registered, and an IBAN with wrong check digits.
    """
    found: dict[str, tuple[str, ...]] = {}
    for wallet in wallets:
        account = normalised_account(wallet.address)
        found[account] = (*found.get(account, ()), wallet.wallet_id)
    chosen = [normalised_account(account) for account in wanted] or list(found)
    for account in chosen:
        if account not in found:
            raise ConfigurationError(
                f"account {account} isn't registered as a wallet of network bank; register it or mend its number"
            )
        if looks_like_iban(account) and not is_iban(account):
            raise ConfigurationError(
                f"account {account} has the wrong check digits for an IBAN; correct the register of wallets"
            )
    return {account: found[account] for account in chosen}
