"""How the report says things: numbers as texts, and the verdict in a sentence.

What belongs here: wording of figures. What doesn't: queries (``content``), layout (``solvency.html.j2``).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from orchestration.reading.output import exact_text

if TYPE_CHECKING:
    from orchestration.report.content import ReportContent

UNKNOWN = "–"


def grouped_text(value: Any) -> str:
    """A number with thousands separators and all its digits; a dash for what is unknown."""
    if value is None:
        return UNKNOWN
    if isinstance(value, Decimal):
        whole, _, fraction = exact_text(value).partition(".")
        sign, digits = ("−", whole[1:]) if whole.startswith("-") else ("", whole)
        fraction = fraction.rstrip("0")
        text = f"{int(digits):,}" + (f".{fraction}" if fraction else "")
        return text if text == "0" else sign + text
    return f"{value:,}" if isinstance(value, int) else str(value)


def percent_text(value: Decimal | None) -> str:
    """A ratio as a percentage, cut to two places towards zero; a dash for what is unknown."""
    if value is None:
        return UNKNOWN
    # Rounding up would call 99.996 % covered.
    cut = int(value * 10_000)
    return f"{'−' if cut < 0 else ''}{abs(cut) // 100:,}.{abs(cut) % 100:02d} %"


def short_amount(value: Decimal) -> str:
    """An amount short enough for a picture: 1.49 m. The tables have all digits."""
    for size, unit in ((10**12, "tn"), (10**9, "bn"), (10**6, "m"), (10**3, "k")):
        if abs(value) >= size:
            return f"{value / size:,.2f} {unit}".replace("-", "−")
    return f"{value:,.2f}".replace("-", "−")


def clipped(text: str, length: int) -> str:
    """A text that fits into a picture."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def verdict_sentence(content: ReportContent) -> str:
    """The verdict on the day, in a sentence."""
    shortfall: Decimal | None = content.solvency["in_kind_shortfall_usd"]
    status = content.solvency["status"]
    critical = content.findings.critical
    also = f" {critical:,} critical finding{'s stand' if critical != 1 else ' stands'}." if critical else ""
    if status == "covered":
        return f"On {content.day} the exchange could hand every customer back what it owed them, in kind.{also}"
    if status == "short":
        amount = "an unknown amount" if shortfall is None else f"{shortfall:,.2f} USD"
        return f"On {content.day} the exchange could not hand every customer back what it owed: {amount} short.{also}"
    unpriced = content.solvency["unpriced_assets"]
    known = "" if shortfall is None else f" The shortfall in priced assets is {shortfall:,.2f} USD."
    have_none = "1 asset has no price" if unpriced == 1 else f"{unpriced} assets have no price"
    return f"On {content.day} the picture is incomplete: {have_none}.{known}{also}"
