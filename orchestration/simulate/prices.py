"""Price paths: a common market factor, quotes from several sources, and the day's reference price.

What belongs here: prices, volumes and depth by source. What doesn't: the definition of the pipeline's price; the
reference price here is computed apart, so that the planted truth doesn't lean on the pipeline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestration.simulate.assets import ASSETS, INDEX, OWN_TOKEN_INDEX, PRICE_PLACES, SYMBOLS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

OUTSIDE_SOURCES: tuple[str, ...] = ("alpine-index", "kestrel-data", "oracle-north")
MARKET_VOLATILITY = 0.025
DAILY_RETURN_LIMIT = 0.08
PULL_TO_START = 0.02
QUOTE_NOISE = 0.0008
STABLECOIN_NOISE = 0.0006
STABLECOIN_LIMIT = 0.002


@dataclass
class PricePaths:
    """Mid prices per day and asset in USD, as floats for sizing; ``quotes`` turns them into exact integers."""

    mid: Floats
    noise: Floats
    volume_usd: Floats
    sources: tuple[str, ...]

    def quotes(self) -> Integers:
        """Prices in 10**-8 USD by day, asset and source; positive."""
        quoted = self.mid[:, :, None] * (1.0 + self.noise)
        quoted[:, INDEX["USD"], :] = 1.0
        units: Integers = np.maximum(np.rint(quoted * 10**PRICE_PLACES).astype(np.int64), 1)
        return units

    def average_volume_usd(self, day: int, asset: int, source: int) -> int:
        """Average whole USD traded a day at a source over the 30 days up to a day."""
        return int(self.volume_usd[max(day - 29, 0) : day + 1, asset, source].mean())

    def least_own_token_volume_usd(self, day: int) -> int:
        """The lowest average volume of the own token among the outside sources."""
        return min(self.average_volume_usd(day, OWN_TOKEN_INDEX, source) for source in range(len(OUTSIDE_SOURCES)))

    def volumes(self) -> Integers:
        """Whole USD traded by day, asset and source."""
        volumes: Integers = np.maximum(np.rint(self.volume_usd).astype(np.int64), 1)
        return volumes


def plan_prices(days: int, owed_usd: float, operator_source: str, rng: np.random.Generator) -> PricePaths:
    """Draw price paths for ``days``; volumes scale with what customers are owed in total."""
    sources = (*OUTSIDE_SOURCES, operator_source)
    market = rng.normal(0.0, MARKET_VOLATILITY, days)
    own = rng.normal(0.0, 1.0, (days, len(ASSETS)))
    mid = np.empty((days, len(ASSETS)))
    for number, asset in enumerate(ASSETS):
        if asset.asset_class == "stablecoin":
            wobble = np.clip(rng.normal(0.0, STABLECOIN_NOISE, days), -STABLECOIN_LIMIT, STABLECOIN_LIMIT)
            mid[:, number] = 1.0 + wobble
            continue
        returns = asset.market_beta * market + asset.daily_volatility * own[:, number]
        mid[:, number] = asset.start_price * np.exp(_pulled_walk(returns))
    noise = rng.uniform(-QUOTE_NOISE, QUOTE_NOISE, (days, len(ASSETS), len(sources)))
    depth = np.array([_daily_volume(symbol, owed_usd) for symbol in SYMBOLS])
    volume = depth[None, :, None] * rng.uniform(0.6, 1.4, noise.shape)
    return PricePaths(mid, noise, volume, sources)


def reference_prices(quotes: Integers, volumes: Integers) -> Integers:
    """The day's price by day and asset: the lowest quote at which cumulative volume reaches half of the total."""
    order = np.argsort(quotes, axis=2, kind="stable")
    sorted_quotes = np.take_along_axis(quotes, order, axis=2)
    cumulative = np.take_along_axis(volumes, order, axis=2).cumsum(axis=2)
    reached = 2 * cumulative >= cumulative[:, :, -1:]
    return np.take_along_axis(sorted_quotes, reached.argmax(axis=2)[:, :, None], axis=2)[:, :, 0]


def _pulled_walk(returns: Floats) -> Floats:
    """A log-price path from daily returns, limited per day and pulled to its start so that years stay plausible."""
    path = np.zeros(len(returns))
    for day in range(1, len(returns)):
        step = float(np.clip(returns[day] - PULL_TO_START * path[day - 1], -DAILY_RETURN_LIMIT, DAILY_RETURN_LIMIT))
        path[day] = path[day - 1] + step
    return path


def _daily_volume(symbol: str, owed_usd: float) -> float:
    """USD a source sees a day; the own token trades thinly, which is what its liquidation value turns on."""
    return max(owed_usd * (0.002 if INDEX[symbol] == OWN_TOKEN_INDEX else 5.0), 1000.0)
