"""The outcome of a verification as people read it.

What belongs here: the text. What doesn't: the comparison (``rebuild``).
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.rebuild import TableComparison

_DIGITS_SHOWN = 16


def comparison_lines(comparisons: Sequence[TableComparison]) -> list[str]:
    """One line a mart, and the verdict last."""
    width = max(len(comparison.table) for comparison in comparisons)
    lines = [f"{'mart':{width}}  {'rows':>12}  sha256 of content  rebuilt from the landing zone"]
    for comparison in comparisons:
        digest = comparison.published_sha256[:_DIGITS_SHOWN]
        lines.append(
            f"{comparison.table:{width}}  {comparison.published_rows:>12,}  {digest:17}  {_verdict(comparison)}"
        )
    differing = [comparison.table for comparison in comparisons if not comparison.is_equal]
    if differing:
        lines.append(f"DIFFERENT: {len(differing)} of {len(comparisons)} marts aren't what the landing zone gives")
    else:
        lines.append(f"EQUAL: all {len(comparisons)} marts are what the landing zone gives")
    return lines


def _verdict(comparison: TableComparison) -> str:
    if comparison.is_equal:
        return "equal"
    since = f", first on {comparison.first_difference}" if comparison.first_difference else ""
    return f"DIFFERENT: {comparison.rebuilt_rows:,} rows, {comparison.rebuilt_sha256[:_DIGITS_SHOWN]}{since}"
