"""The simulated exchange: a seeded world, its days, the contract's tables, and the truth about what was planted.

What belongs here: everything made up. What doesn't: any rule of the pipeline; the simulator knows DOMAIN.md and the
landing contract, never the models.
"""

from __future__ import annotations

from orchestration.simulate.engine import SimulationSummary, simulate
from orchestration.simulate.scenario import scenario_names

__all__ = ["SimulationSummary", "scenario_names", "simulate"]
