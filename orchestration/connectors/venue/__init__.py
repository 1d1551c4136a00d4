"""A trading venue, through ccxt: what the exchange holds there, what moved, daily prices, and how deep a market is.

What belongs here: one module for each of these, and ccxt on our own HTTP client (``exchange``). What doesn't: what an
amount at a venue is worth as a reserve, which the warehouse's policy says.
"""

from orchestration.connectors.venue.configuration import VenueConfiguration
from orchestration.connectors.venue.connector import VenueConnector

__all__ = ["VenueConfiguration", "VenueConnector"]
