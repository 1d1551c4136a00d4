"""EVM chains over JSON-RPC: balances of every registered wallet at a day's last final block, and what moved that day.

What belongs here: everything that knows JSON-RPC of Ethereum's family: its values (``words``), asking a node
(``node``, ``provider``), blocks and which of them are final (``blocks``), balances (``balances``, ``multicall``), token
transfers (``logs``), native transfers and fees (``native``, ``traces``), whose they are (``holders``, ``movements``),
yesterday's balances (``previous``), and the order of a pull (``connector``). What doesn't: other chains, what a balance
counts for.

**How a transfer is named**, so that the exchange's own ledger can name it in ``reference``: by ``transfer_id`` of the
configuration, by default ``{network}:{transaction}:{leg}`` with the transaction's hash in lower case and as leg
- the log's index within its block, in decimal, for a token transfer: ``ethereum:0x5c50…:117``;
- ``native`` for the value of the transaction itself, ``trace-0-2`` for value that a contract moved (the path of the
  call within the transaction: third call of its first call), ``fee`` for what the sender paid for the transaction;
- ``ethereum:withdrawal:81034233`` for a validator's withdrawal, by its index on the chain.
A transfer between two registered wallets is two rows: ``…:out`` at the sender and ``…:in`` at the receiver. If an
address is registered under several wallets, the first of them by identifier has the plain name, the others' end with
``:<wallet_id>``. Zero amounts move nothing and aren't transfers: anyone can have a token log one in another's name.

**What time says.** A block's time is the time of its transfers and their ``recorded_at``: the chain is the record, and
nobody recorded it later. Balances hold as of the time of the day's last block.

**What isn't seen.** Logs don't show native value, and without tracing (``native_transfers: traces``) value that
contracts move isn't seen either; nor is what the protocol itself credits (rewards of block producers, value that a
rollup bridges in), or tokens whose balances change without a Transfer log. So every balance is held against the one
delivered the day before plus what moved since; what doesn't add up is reported, kept in the manifest, and found by the
pipeline (``wallet_rolls_forward``).
"""

from orchestration.connectors.evm.configuration import EvmConfiguration
from orchestration.connectors.evm.connector import EvmConnector

__all__ = ["EvmConfiguration", "EvmConnector"]
