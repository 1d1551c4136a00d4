"""The exchange's own PostgreSQL: any table of the contract, mapped from the exchange's own tables and columns.

What belongs here: the configuration (``configuration``), the SQL it turns into (``queries``), one read-only snapshot
and its errors (``session``), rows on their way (``stream``), and the order of a pull (``connector``). What doesn't:
what rows mean, and which of them are news (``delivery``).
"""

from orchestration.connectors.postgresql.connector import PostgresqlConnector

__all__ = ["PostgresqlConnector"]
