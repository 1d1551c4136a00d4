"""The registered wallets of a network by address: one spelling, whatever the register's is.

What belongs here: which wallets an address has. What doesn't: the register itself (``register``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestration.connectors.base import require
from orchestration.connectors.register import RegisteredWallet
from orchestration.errors import ConfigurationError

_ADDRESS = re.compile(r"(?:0[xX])?([0-9a-fA-F]{40})")


@dataclass(frozen=True, slots=True)
class Holders:
    """Wallet identifiers by address in lower case, both in order of identifier."""

    wallets: dict[str, tuple[str, ...]]

    @property
    def addresses(self) -> list[str]:
        """Every address once, in order of its first wallet."""
        return list(self.wallets)

    @property
    def digest(self) -> str:
        """Tells one register from another."""
        return hashlib.sha256(repr(self.wallets).encode()).hexdigest()

    def first(self, address: str | None) -> str | None:
        """The first wallet of an address, None if it isn't registered."""
        return self.wallets[address][0] if address in self.wallets else None


def holders_of(wallets: Iterable[RegisteredWallet]) -> Holders:
    """Wallets by address; raise ConfigurationError, naming the wallet, for an address that can't be one."""
    found: dict[str, tuple[str, ...]] = {}
    for wallet in wallets:
        address = checked_address(wallet.address.strip(), f"wallet {wallet.wallet_id}")
        found[address] = (*found.get(address, ()), wallet.wallet_id)
    return Holders(found)


def checked_address(text: str, place: str) -> str:
    """An address in lower case. Mixed case is a checksum (EIP-55), and a wrong one a slip of whoever wrote it."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"{place}: {text!r} is no address (0x and 40 hexadecimal digits); correct it")
    digits = match.group(1)
    if digits not in (digits.lower(), digits.upper()):
        right = require("web3", "evm").Web3.to_checksum_address(f"0x{digits.lower()}")
        if right != f"0x{digits}":
            raise ConfigurationError(
                f"{place}: the letters of {text} don't match its checksum, so it may be mistyped; register it as"
                " its owner writes it"
            )
    return f"0x{digits.lower()}"
