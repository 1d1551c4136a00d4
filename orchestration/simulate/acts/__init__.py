"""The acts of a story: small modules that change the plan, the days or the reports of an otherwise sound exchange.

A story's act never touches tables: it changes the world before the book opens, posts through the book, turns the day's
controls, or changes what management publishes. Tables are derived afterwards, so every consequence is in them. A new
act is a class registered here and named in a scenario's YAML. Planted faults (package ``faults``) are acts too, with a
registry of their own; the last hooks, which change what is delivered, are theirs.
"""

from __future__ import annotations

from orchestration.errors import ConfigurationError
from orchestration.simulate.acts.affiliate import (
    AffiliateBorrowing,
    AffiliatePrivileges,
    DivertedWires,
    UnexplainedTransfer,
)
from orchestration.simulate.acts.base import Act
from orchestration.simulate.acts.market import TokenCrash, WithdrawalRun
from orchestration.simulate.acts.reporting import InventedInsuranceFund, NettedLiabilities, YearEndRevenue
from orchestration.simulate.scenario import ActPlan

ACTS: dict[str, type[Act]] = {
    "affiliate_privileges": AffiliatePrivileges,
    "diverted_wires": DivertedWires,
    "affiliate_borrowing": AffiliateBorrowing,
    "unexplained_transfer": UnexplainedTransfer,
    "token_crash": TokenCrash,
    "withdrawal_run": WithdrawalRun,
    "invented_insurance_fund": InventedInsuranceFund,
    "netted_liabilities": NettedLiabilities,
    "year_end_revenue": YearEndRevenue,
}


def build_act(plan: ActPlan) -> Act:
    """The act of a plan; raise ConfigurationError if no act has that name."""
    if plan.name not in ACTS:
        raise ConfigurationError(f"unknown act {plan.name!r} in the scenario: choose one of {', '.join(sorted(ACTS))}")
    return ACTS[plan.name](plan)
