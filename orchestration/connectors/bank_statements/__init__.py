"""Bank statements: balances and transfers of network ``bank`` from the files that banks send.

What belongs here: CAMT.053 (``camt053``) and MT940 (``mt940``), what every statement must satisfy (``statements``),
continuity from one to the next (``chain``), account numbers (``accounts``), rows (``records``), and the connector.
What doesn't: fetching the files from the bank.
"""

from orchestration.connectors.bank_statements.connector import BankStatementsConnector

__all__ = ["BankStatementsConnector"]
