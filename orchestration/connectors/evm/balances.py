"""Balances of addresses at one block: native and tokens, exact, each of them an answer of its own.

What belongs here: asking for balances. What doesn't: which block, whose addresses, how they land.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.connectors.errors import AnswerError
from orchestration.connectors.evm import multicall, words
from orchestration.connectors.evm.node import Call, Node

BALANCE_OF = "0x70a08231"
"""Selector of ERC-20's ``balanceOf(address)``."""

ETH_BALANCE = "0x4d2301cc"
"""Selector of Multicall3's ``getEthBalance(address)``."""


@dataclass(frozen=True, slots=True)
class Asset:
    """What is counted: a token by its contract (lower case), or the native asset, which has none."""

    name: str
    decimals: int
    contract: str | None = None


class Balances:
    """Asks for balances at one block: through a contract like Multicall3 if there is one, else in batches."""

    def __init__(
        self, node: Node, assets: Sequence[Asset], block: int, *, aggregator: str | None, multicall_size: int
    ) -> None:
        self.node, self.assets, self.block = node, assets, block
        self.aggregator, self.multicall_size = aggregator, multicall_size

    def of(self, addresses: Sequence[str]) -> list[list[int]]:
        """Whole units by address and asset, in their orders.

        Raises AnswerError, naming address and asset, if one of them isn't answered with one number.
        """
        asked = [(address, asset) for address in addresses for asset in self.assets]
        units = self._together(asked) if self.aggregator else self._each(asked)
        width = len(self.assets)
        return [units[begin : begin + width] for begin in range(0, len(units), width)]

    def check_aggregator(self, address: str) -> None:
        """Raise AnswerError if the contract tells other balances of an address than the node itself does."""
        if self.aggregator and self.of([address]) != [self._each([(address, asset) for asset in self.assets])]:
            raise AnswerError(
                f"the contract at {self.aggregator} tells other balances of {address} than the node does",
                "configure the address of Multicall3 on this network, or multicall: null",
            )

    def _together(self, asked: Sequence[tuple[str, Asset]]) -> list[int]:
        target, units = self.aggregator or "", []
        for begin in range(0, len(asked), self.multicall_size):
            part = asked[begin : begin + self.multicall_size]
            calls = [
                (asset.contract or target, f"{BALANCE_OF if asset.contract else ETH_BALANCE}{address[2:]:0>64}")
                for address, asset in part
            ]
            call = {"to": target, "data": multicall.aggregate3(calls)}
            place = f"{len(part)} balances at block {self.block}"
            answer = words.data(self.node.ask("eth_call", call, hex(self.block)), place)
            found = multicall.results(answer, len(part), place)
            units += [self._units(result, *key) for result, key in zip(found, part, strict=True)]
        return units

    def _units(self, result: bytes | None, address: str, asset: Asset) -> int:
        place = self._place(address, asset)
        if result is None:
            raise AnswerError(f"{place}: the call failed", "see whether the contract is the token's on this network")
        return words.word(result, place)

    def _each(self, asked: Sequence[tuple[str, Asset]]) -> list[int]:
        answers = self.node.ask_all([self._call(*key) for key in asked])
        return [self._number(answer, *key) for answer, key in zip(answers, asked, strict=True)]

    def _call(self, address: str, asset: Asset) -> Call:
        if asset.contract is None:
            return "eth_getBalance", [address, hex(self.block)]
        called = {"to": asset.contract, "data": f"{BALANCE_OF}{address[2:]:0>64}"}
        return "eth_call", [called, hex(self.block)]

    def _number(self, answer: object, address: str, asset: Asset) -> int:
        place = self._place(address, asset)
        if asset.contract is None:
            return words.quantity(answer, place)
        return words.word(words.data(answer, place), place)

    def _place(self, address: str, asset: Asset) -> str:
        return f"balance of {asset.name} at {address}, block {self.block}"


def has_code(node: Node, contract: str, block: int | str) -> bool:
    """Whether there is a contract at an address, at a block."""
    at = hex(block) if isinstance(block, int) else block
    return words.data(node.ask("eth_getCode", contract, at), f"code of {contract}") != b""


def differences(units: Mapping[str, int], before: Mapping[str, int], moved: Mapping[str, int]) -> dict[str, int]:
    """By asset, the units that are there beyond those before and what moved since; nothing where there is no before."""
    return {
        asset: units[asset] - before[asset] - moved.get(asset, 0)
        for asset in units
        if asset in before and units[asset] != before[asset] + moved.get(asset, 0)
    }
