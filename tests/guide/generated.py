"""Tables of the auditors' page, made of what the checks say of themselves.

What belongs here: which table is made of what. What doesn't: putting it into a page (``pages``), and the text itself,
which stands beside the finding models (``orchestration.reading.explanation`` reads it).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from functools import cache

from orchestration.checks import CHECK_DISABLED, CHECKS, Check, Kind
from orchestration.policy import policy_of_file
from orchestration.reading.explanation import Explanation, read_explanation, rule_in_force
from orchestration.warehouse.lineage import lineage

_SENTENCE_END = re.compile(r"(?<=[a-z)%])\.\s+(?=[A-Z])")
_ALL = (*CHECKS, CHECK_DISABLED)


@cache
def _explained(check: Check) -> Explanation:
    return read_explanation(check)


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _records(check: Check) -> str:
    if check.kind is Kind.INTEGRITY:
        return "what was delivered"
    if check == CHECK_DISABLED:
        return "policy"
    return ", ".join(f"`{name}`" for name in sorted(lineage().measured[check.name]))


def _first_sentence(check: Check) -> str:
    rule = rule_in_force(_explained(check), policy_of_file(None))
    sentence = _SENTENCE_END.split(" ".join(rule.split()))[0].removesuffix(".")
    return f"{sentence}."


def checks_table() -> str:
    """Every check of the catalogue: its kind, what it computes by the default policy, of what, and for which rules."""
    rows = [
        (
            f"`{check.name}`",
            f"{check.kind.value}, {check.severity.value}",
            _first_sentence(check),
            _records(check),
            ", ".join(dict.fromkeys(rule.at for rule in _explained(check).rules)) or "none",
        )
        for check in _ALL
    ]
    return _table(("check", "kind, severity", "what must hold", "of which records", "rules it answers to"), rows)


def rules_table() -> str:
    """Every rule that a check answers to, and what of it which check computes."""
    answered: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for check in _ALL:
        for rule in _explained(check).rules:
            answered[rule.at][" ".join(rule.computed.split())].append(f"`{check.name}`")
    rows = [
        (at, computed, ", ".join(checks))
        for at in sorted(answered, key=_numbers_by_size)
        for computed, checks in sorted(answered[at].items())
    ]
    return _table(("rule", "what of it is computed", "by"), rows)


def _numbers_by_size(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", text)]


def documents_list() -> str:
    """The documents that these rules stand in."""
    documents = {rule.document for check in _ALL for rule in _explained(check).rules}
    return "".join(f"- {document}\n" for document in sorted(documents))


GENERATED: dict[str, Callable[[], str]] = {
    "checks": checks_table,
    "rules": rules_table,
    "documents": documents_list,
}
"""What pages hold between markers, by its name there."""
