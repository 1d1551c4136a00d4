"""Bitcoin: what registered wallets hold at one block a day, and what moved; over Esplora's REST or Bitcoin Core's RPC.

What belongs here: addresses (``addresses``), which blocks make a day (``chain``), what a transaction means for each
wallet (``movements``), the two ways to ask (``esplora``, ``core``), and the connector. What doesn't: keys, extended
public keys and wallets' software: each address is registered by itself.
"""

from orchestration.connectors.bitcoin.connector import BitcoinConfiguration, BitcoinConnector

__all__ = ["BitcoinConfiguration", "BitcoinConnector"]
