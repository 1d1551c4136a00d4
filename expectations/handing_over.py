"""The action behind every checkpoint: what failed, or could not be evaluated, goes into the record of the run.

What belongs here: Great Expectations' side of it. What doesn't: what becomes of it (``orchestration.alerts``), which is
told also if the run dies before it can say anything itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from great_expectations.checkpoint.actions import ActionContext, ValidationAction
from great_expectations.checkpoint.checkpoint import CheckpointResult
from typing_extensions import override

from expectations.outcomes import failure_of, outcome_of
from expectations.rules import RuleOutcome
from orchestration.journal import FailedRule, add_failed_rules


class HandOver(ValidationAction):
    """Hands failed rules of gate ``stage`` over to ``run_file``; without one there is nobody to hand them to."""

    type: Literal["ringfence_hand_over"] = "ringfence_hand_over"
    stage: str
    run_file: str | None = None

    @override
    def run(self, checkpoint_result: CheckpointResult, action_context: ActionContext | None = None) -> dict[str, Any]:
        """Hand over what failed in any of the checkpoint's suites, and say how many rules that are."""
        results = [item for of_suite in checkpoint_result.run_results.values() for item in of_suite.results]
        failed = [
            failure_of(outcome, result) for result in results if not (outcome := outcome_of(self.stage, result)).success
        ]
        return {"handed_over": self._add(failed)}

    def hand_over_unreadable(self, outcomes: Iterable[RuleOutcome]) -> None:
        """Hand over rules whose tables could not even be read, so that no checkpoint has them."""
        self._add([failure_of(outcome) for outcome in outcomes])

    def _add(self, failed: list[FailedRule]) -> int:
        if self.run_file is None:
            return 0
        # The gate says the same to the run, which ends by it: a full disk mustn't keep it from being heard.
        with suppress(OSError):
            add_failed_rules(Path(self.run_file), failed)
            return len(failed)
        return 0
