"""What people use today, each as publicly described and configured in good faith, over the same records.

A rival says only that something looks wrong on a day, at most with an asset: an alarm. None of them names a check, a
subject or an amount, so an alarm is credited generously: it counts for a fault if it comes on or after the day of
planting, concerns the fault's asset or none in particular, and doesn't sound on the same exchange without the fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestration.bench.rivals.books import Alarm, DailyBooks
from orchestration.bench.rivals.clean_assets import clean_asset_alarms
from orchestration.bench.rivals.proof_of_reserves import ratio_alarms
from orchestration.bench.rivals.range_expectations import range_alarms
from orchestration.bench.rivals.rolling_zscore import zscore_alarms

__all__ = ["RIVALS", "Alarm", "DailyBooks", "Rival"]


@dataclass(frozen=True, slots=True)
class Rival:
    """One of today's tools: its name, what it does in a sentence, and its alarms over the daily books."""

    name: str
    description: str
    alarms: Callable[[DailyBooks], set[Alarm]]


RIVALS: tuple[Rival, ...] = (
    Rival(
        "reserves ratio",
        "The ratio of proof-of-reserves pages: listed wallets over the sum of customers' balances, by asset, below 1.",
        ratio_alarms,
    ),
    Rival(
        "clean assets",
        "DefiLlama's figures: assets without the own token, and inflows as daily changes of quantity at the day's"
        " price; an outflow of a tenth in a day or a quarter in a week, or less than half of the assets clean.",
        clean_asset_alarms,
    ),
    Rival(
        "rolling z-score",
        "An anomaly detector with the usual defaults over the marts' totals: 3 sigma from the 14 days before.",
        zscore_alarms,
    ),
    Rival(
        "range expectations",
        "Great Expectations as a newcomer writes them: totals and prices within half of the first week's range,"
        " nothing null, keys unique, no negative balance in spot accounts and wallets, every table every day.",
        range_alarms,
    ),
)
