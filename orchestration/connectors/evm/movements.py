"""What moved, and the rows of ``wallet_transfers`` that tell it: one for each registered wallet on either side.

What belongs here: sides, signs, names and types of transfers. What doesn't: how they are found (``logs``, ``native``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from orchestration.connectors.evm import words
from orchestration.connectors.evm.holders import Holders

Moved = dict[str, dict[str, int]]
"""The sum of what moved, in whole units, by address and asset; sent is negative."""

COLUMNS = (
    "transfer_id",
    "wallet_id",
    "counterparty_address",
    "counterparty_wallet_id",
    "asset",
    "amount",
    "transfer_type",
    "block_time",
    "recorded_at",
)


@dataclass(frozen=True, slots=True)
class Movement:
    """Units of an asset from one address to another; None is the protocol itself.

    ``place`` orders movements within their block: transaction, kind, index. ``leg`` names it within its transaction.
    """

    block: int
    place: tuple[int, int, int]
    transaction: str
    leg: str
    asset: str
    units: int
    decimals: int
    sender: str | None
    receiver: str | None
    kind: Literal["transfer", "fee", "reward"] = "transfer"


@dataclass(frozen=True, slots=True)
class Naming:
    """How transfers are named: ``template`` as in the configuration."""

    template: str
    network: str

    def name(self, movement: Movement, ending: str) -> str:
        """The ``transfer_id`` of one wallet's row."""
        return self.template.format(network=self.network, transaction=movement.transaction, leg=movement.leg) + ending


def rows_of(
    movements: Iterable[Movement], holders: Holders, times: dict[int, str], naming: Naming
) -> dict[str, list[Any]]:
    """The rows, by column, in the order in which things happened. ``times``: of blocks, by number."""
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for movement in sorted(movements, key=lambda moved: (moved.block, moved.place)):
        for row in _rows(movement, holders, times[movement.block], naming):
            for name, value in zip(COLUMNS, row, strict=True):
                columns[name].append(value)
    return columns


def _rows(movement: Movement, holders: Holders, time: str, naming: Naming) -> Iterable[Sequence[Any]]:
    is_internal = movement.sender in holders.wallets and movement.receiver in holders.wallets
    sides = ((movement.sender, movement.receiver, -1, "withdrawal"), (movement.receiver, movement.sender, 1, "deposit"))
    for address, other, sign, direction in sides:
        for number, wallet in enumerate(holders.wallets.get(address or "", ())):
            ending = (":out" if sign < 0 else ":in") if is_internal else ""
            ending += f":{wallet}" if number else ""
            type_ = {"fee": "network_fee", "reward": "other"}.get(
                movement.kind, "internal" if is_internal else direction
            )
            amount = words.amount(sign * movement.units, movement.decimals)
            name = naming.name(movement, ending)
            yield name, wallet, other, holders.first(other), movement.asset, amount, type_, time, time


def add_up(moved: Moved, movements: Iterable[Movement], holders: Holders) -> None:
    """Add movements to the sums of registered addresses."""
    for movement in movements:
        for address, units in ((movement.sender, -movement.units), (movement.receiver, movement.units)):
            if address is not None and address in holders.wallets:
                sums = moved.setdefault(address, defaultdict(int))
                sums[movement.asset] = sums.get(movement.asset, 0) + units
