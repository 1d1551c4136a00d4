"""Custodians: balances of network ``custodian`` from whatever a custodian offers, an HTTP interface or CSV files.

What belongs here: mapping their answers (``api``, ``paths``) and files (``files``) to balances, and what all that a
custodian lists has to satisfy (``holdings``). What doesn't: any one custodian's protocol.
"""

from orchestration.connectors.custodian.api import CustodianApiConnector
from orchestration.connectors.custodian.files import CustodianFilesConnector

__all__ = ["CustodianApiConnector", "CustodianFilesConnector"]
