"""What a transaction means for each registered wallet: rows that add up to the change of its balance, to the satoshi.

What belongs here: whose outputs are charged to whom, the fee, identifiers. What doesn't: how transactions are had.

Identifiers, all after ``bitcoin:<txid>:``
- ``<vout>``: the output that a wallet received (deposit), or that was paid to an outsider (withdrawal). This is what
  the ledger's ``reference`` names. Of an output between two wallets the receiver's row has it, unless the sender is
  the operator's and the receiver isn't; the other's row has ``<vout>:out`` or ``<vout>:in`` instead.
- ``fee``: what the miner got. ``inputs``: what outsiders put into a transaction that a wallet paid.
- ``settled:<wallet>:out``, ``…:in``: that wallet's share in a payment that several wallets put inputs into, given to
  the wallet that pays (or back). ``also:<wallet>``: an address that is listed under a second wallet.

The wallet that pays is the one that gives most on balance, of equals the one whose input comes first. It is charged
with every output to others, whole, so that each withdrawal is one row that its ledger entry can match, and the fee.
What wallets get back of what they put in (change) cancels out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from orchestration.connectors.bitcoin.addresses import AddressError, Network, address_of, normalised, script_of
from orchestration.connectors.bitcoin.chain import Part, Transaction
from orchestration.connectors.register import RegisteredWallet
from orchestration.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Movement:
    """A row of wallet transfers but for its times; ``amount`` in satoshi, positive raises the wallet's balance."""

    transfer_id: str
    wallet_id: str
    counterparty_address: str | None
    counterparty_wallet_id: str | None
    amount: int
    transfer_type: str


@dataclass(frozen=True, slots=True)
class Register:
    """The registered wallets by output script. ``operator`` holds those wallets that are the operator's own."""

    network: Network
    addresses: Mapping[str, str]
    wallets: Mapping[str, tuple[str, ...]]
    operator: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, wallets: Iterable[RegisteredWallet], network: Network, operator: frozenset[str]) -> Register:
        """Raises ConfigurationError, naming the wallet, for an address that isn't one of this chain."""
        addresses: dict[str, str] = {}
        listed: dict[str, list[str]] = {}
        for wallet in wallets:
            try:
                script = script_of(wallet.address, network)
            except AddressError as error:
                raise ConfigurationError(
                    f"wallet {wallet.wallet_id}: {wallet.address} {error}; correct the register of wallets"
                ) from error
            addresses[script] = normalised(wallet.address)
            if wallet.wallet_id not in listed.setdefault(script, []):
                listed[script].append(wallet.wallet_id)
        ordered = dict(sorted(addresses.items(), key=lambda item: item[1]))
        return cls(network, ordered, {script: tuple(listed[script]) for script in ordered}, operator)

    def wallet(self, script: str) -> str | None:
        """The wallet whose address it is; of several the first."""
        listed = self.wallets.get(script)
        return listed[0] if listed else None

    def balances(self, by_script: Mapping[str, int]) -> dict[str, int]:
        """What each wallet holds, given what each script does."""
        held: dict[str, int] = {}
        for script, listed in self.wallets.items():
            for wallet in listed:
                held[wallet] = held.get(wallet, 0) + by_script[script]
        return dict(sorted(held.items()))


def movements(transaction: Transaction, register: Register) -> list[Movement]:
    """The rows of one transaction. Per wallet they add up to the change of what its addresses hold."""
    given: dict[str, int] = {}
    for part in transaction.inputs:
        if wallet := register.wallet(part.script):
            given[wallet] = given.get(wallet, 0) + part.value
    rows = _paid(transaction, register, given) if given else _received(transaction, register)
    return [row for row in (*rows, *_listed_again(transaction, register)) if row.amount]


def _received(transaction: Transaction, register: Register) -> Iterator[Movement]:
    sender = _address(transaction.inputs, register)
    kind = "other" if transaction.is_coinbase else "deposit"
    for place, part in enumerate(transaction.outputs):
        if wallet := register.wallet(part.script):
            yield Movement(_identifier(transaction, place), wallet, sender, None, part.value, kind)


def _paid(transaction: Transaction, register: Register, given: Mapping[str, int]) -> Iterator[Movement]:
    first_addresses: dict[str, str] = {}
    for part in transaction.inputs:
        if wallet := register.wallet(part.script):
            first_addresses.setdefault(wallet, register.addresses[part.script])
    on_balance = dict(given)
    for part in transaction.outputs:
        if (wallet := register.wallet(part.script)) in given:
            on_balance[str(wallet)] -= part.value
    payer = max(on_balance, key=lambda wallet: on_balance[wallet])  # of equals max gives the first
    for place, part in enumerate(transaction.outputs):
        wallet = register.wallet(part.script)
        if wallet is None:
            address = address_of(part.script, register.network)
            yield Movement(_identifier(transaction, place), payer, address, None, -part.value, "withdrawal")
        elif wallet not in given:
            yield from _internal(_identifier(transaction, place), payer, first_addresses[payer], wallet, part, register)
    for wallet, amount in on_balance.items():
        if wallet != payer:
            settled = _identifier(transaction, f"settled:{wallet}")
            out = Movement(f"{settled}:out", wallet, first_addresses[payer], payer, -amount, "internal")
            yield out
            yield Movement(f"{settled}:in", payer, first_addresses[wallet], wallet, amount, "internal")
    foreign = [part for part in transaction.inputs if register.wallet(part.script) is None]
    put_in, whose = sum(part.value for part in foreign), _address(foreign, register)
    yield Movement(_identifier(transaction, "inputs"), payer, whose, None, put_in, "other")
    yield Movement(_identifier(transaction, "fee"), payer, None, None, -transaction.fee, "network_fee")


def _internal(
    identifier: str, payer: str, payer_address: str, receiver: str, part: Part, register: Register
) -> Iterator[Movement]:
    """Both sides' rows of an output between two wallets."""
    is_senders = payer in register.operator and receiver not in register.operator
    sent, received = (identifier, f"{identifier}:in") if is_senders else (f"{identifier}:out", identifier)
    yield Movement(sent, payer, register.addresses[part.script], receiver, -part.value, "internal")
    yield Movement(received, receiver, payer_address, payer, part.value, "internal")


def _listed_again(transaction: Transaction, register: Register) -> Iterator[Movement]:
    """An address under a second wallet: that wallet's balance changes too, though nothing else moved."""
    again: dict[str, int] = {}
    for script, amount in transaction.changes(register.wallets).items():
        for wallet in register.wallets[script][1:]:
            again[wallet] = again.get(wallet, 0) + amount
    for wallet, amount in sorted(again.items()):
        yield Movement(_identifier(transaction, f"also:{wallet}"), wallet, None, None, amount, "other")


def _address(parts: Iterable[Part], register: Register) -> str | None:
    """The first address among these inputs or outputs."""
    return next((a for part in parts if (a := address_of(part.script, register.network))), None)


def _identifier(transaction: Transaction, what: int | str) -> str:
    return f"bitcoin:{transaction.txid}:{what}"
