"""The keys of a source of kind ``evm``.

What belongs here: keys, their defaults and what is refused at sight. What doesn't: anything that needs the node.
"""

from __future__ import annotations

import re
from string import Formatter
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from orchestration.connectors.base import SourceConfiguration
from orchestration.connectors.http import HttpSettings
from orchestration.connectors.limits import Limits
from orchestration.connectors.secrets import Address

MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"
"""Where Multicall3 stands on nearly every chain."""

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


def _as_address(value: object) -> object:
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise ValueError("an address is 0x and 40 hexadecimal digits, in quotes (YAML takes it for a number)")
    return value


ContractAddress = Annotated[str, BeforeValidator(_as_address)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^\S+$")]


class Token(BaseModel):
    """An ERC-20 token: its contract, and its decimals as the contract says them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contract: ContractAddress
    decimals: int = Field(ge=0, le=77)


class EvmConfiguration(SourceConfiguration):
    """One network, asked through one node or provider."""

    url: Address
    network: Name
    chain_id: int = Field(ge=1)
    native_asset: Name
    tokens: dict[Name, Token] = Field(default_factory=dict)
    native_transfers: Literal["traces", "transactions", "none"] = "transactions"
    transfer_id: str = "{network}:{transaction}:{leg}"
    reorg_depth: int | None = Field(None, ge=1, le=100_000)
    multicall: ContractAddress | None = MULTICALL3
    multicall_size: int = Field(500, ge=1, le=10_000)
    batch_size: int = Field(100, ge=1, le=5_000)
    blocks_per_request: int = Field(10, ge=1, le=1_000)
    log_range: int = Field(1_000, ge=1, le=1_000_000)
    addresses_per_filter: int = Field(500, ge=1, le=10_000)
    http: HttpSettings = HttpSettings()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _check_names(self) -> EvmConfiguration:
        contracts = [token.contract.lower() for token in self.tokens.values()]
        if len(set(contracts)) < len(contracts):
            raise ValueError("two tokens have the same contract; their balances would count twice")
        if self.native_asset in self.tokens:
            raise ValueError(f"{self.native_asset} is the native asset and can't be a token too")
        try:
            fields = {name for _, name, _, _ in Formatter().parse(self.transfer_id) if name is not None}
        except ValueError:
            fields = set()
        if not {"transaction", "leg"} <= fields <= {"network", "transaction", "leg"}:
            raise ValueError(
                "transfer_id must hold {transaction} and {leg}, may hold {network}, and nothing else in {}"
            )
        return self
