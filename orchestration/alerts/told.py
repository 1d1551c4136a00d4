"""What a message says of an incident, in the order in which somebody on call needs it. One wording for all channels.

What belongs here: the parts of a message, and how they read as plain text. What doesn't: any channel's markup, which
incidents are told together (``wording``).
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal

from orchestration.alerts.incidents import Category, Incident, Observation, Occasion
from orchestration.keyed_hashes import PLAIN_SUBJECTS, Hashing
from orchestration.sql import quoted

_CATEGORY_WORDS = {
    Category.BAD_DATA: "the data is bad",
    Category.BREACH: "the business is in breach",
    Category.CHECK_FAILED: "a check could not do its work",
    Category.NO_DATA: "data never came",
}
_OCCASION_WORDS = {
    Occasion.OPENED: "new",
    Occasion.GREW: "grown",
    Occasion.REMINDER: "still open",
    Occasion.ACKNOWLEDGED: "acknowledged",
    Occasion.RESOLVED: "resolved",
}
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Told:
    """One incident in a message. Everything is text that may leave the house: nobody is named.

    ``what`` is one sentence; ``how_much`` amounts in native units and USD; ``since`` the first day; ``affected`` whom
    it is about, a keyed hash for people and accounts; ``changed`` what is new since the last message; ``query`` and
    ``command`` show the evidence; ``fingerprint`` (a keyed hash too) and ``number`` name the incident; ``follows_from``
    is what it may be a mere consequence of.
    """

    fingerprint: str
    number: int
    occasion: str
    category: str
    severity: str
    check_name: str
    asset: str | None
    what: str
    how_much: str
    impact_usd: str | None
    since: str
    day: str
    affected: str
    changed: str
    query: str
    command: str
    owner: str
    runbook: str
    follows_from: str = ""

    @property
    def category_name(self) -> str:
        """The category as the configuration spells it."""
        return next(category.value for category, words in _CATEGORY_WORDS.items() if words == self.category)

    @property
    def title(self) -> str:
        """A line for a list of alerts."""
        asset = f" {self.asset}" if self.asset else ""
        return f"[{self.severity}] {self.check_name}{asset}: {self.occasion}"

    def lines(self) -> list[tuple[str, str]]:
        """The parts with their names, in order; empty ones are left out."""
        parts = (
            ("what", f"{self.what} ({self.category})"),
            ("how much", self.how_much),
            ("since", self.since),
            ("who is affected", self.affected),
            ("changed", self.changed),
            ("may follow from", self.follows_from),
            ("query", self.query),
            ("command", self.command),
            ("owner", self.owner),
            ("runbook", self.runbook),
            ("incident", f"{self.number} ({self.fingerprint})"),
        )
        return [(name, text) for name, text in parts if text]

    def text(self) -> str:
        """The parts as plain text."""
        return "\n".join(f"{name}: {text}" for name, text in self.lines())


@dataclass(frozen=True, slots=True)
class Content:
    """What a channel is given: one incident, or several told together, with how many more there are.

    ``environment`` is where it happened, ``occasion`` why it is said, ``grouped_by`` what they have in common if they
    are several, ``explains`` what isn't told by itself because these incidents explain it.
    """

    environment: str
    occasion: Occasion
    told: tuple[Told, ...]
    grouped_by: str = ""
    more: int = 0
    explains: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """One line: the incident's, or how many and what they have in common."""
        first = self.told[0]
        several = len(self.told) + self.more
        if several == 1:
            return f"{self.environment}: {first.title}"
        worst = "critical" if any(one.severity == "critical" for one in self.told) else first.severity
        return f"{self.environment}: [{worst}] {several} incidents, {self.grouped_by}: {_OCCASION_WORDS[self.occasion]}"

    def text(self) -> str:
        """The whole message as plain text."""
        blocks = [one.text() for one in self.told]
        if self.more:
            blocks.append(f"and {self.more:,} more; ringfence alerts list shows all")
        if self.explains:
            blocks.append(
                "This explains, and so isn't told by itself here:\n" + "\n".join(f"- {one}" for one in self.explains)
            )
        return "\n\n".join([self.title, *blocks])

    def as_json(self) -> str:
        """The content as the outbox keeps it."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> Content:
        """The content that ``as_json`` wrote."""
        stored = json.loads(text)
        told = tuple(Told(**one) for one in stored.pop("told"))
        return cls(
            environment=stored["environment"],
            occasion=Occasion(stored["occasion"]),
            told=told,
            grouped_by=stored["grouped_by"],
            more=stored["more"],
            explains=tuple(stored["explains"]),
        )


def tell(
    incident: Incident,
    before: Incident | None,
    occasion: Occasion,
    *,
    hashing: Hashing,
    warehouse: str,
    owner: str,
    runbook: str,
    causes: Sequence[Incident] = (),
) -> Told:
    """What is said of an incident. ``before`` is what it was at the last look, None if it is new.

    ``causes``: incidents that it may follow from.
    """
    seen = incident.seen
    is_named = seen.subject_type not in PLAIN_SUBJECTS
    affected = _affected(seen, hashing)
    return Told(
        fingerprint=hashing.of(seen.fingerprint),
        number=incident.number,
        occasion=_OCCASION_WORDS[occasion],
        category=_CATEGORY_WORDS[seen.category],
        severity=seen.severity.value,
        check_name=seen.check_name,
        asset=in_a_line(seen.asset) if seen.asset else None,
        what=f"{seen.check_name} fails for {affected}" if is_named else in_a_line(seen.message),
        how_much=_how_much(seen, is_named=is_named),
        impact_usd=None if seen.impact_usd is None else format(seen.impact_usd, "f"),
        since=_since(seen),
        day=str(seen.day),
        affected=affected,
        changed=_changed(incident, before, occasion),
        query=_query(seen, is_named=is_named),
        command=f"ringfence alerts show {incident.number} --warehouse {shlex.quote(warehouse)}",
        owner=owner,
        runbook=runbook,
        follows_from=_listed([f"{_short(cause, hashing)} (incident {cause.number})" for cause in causes]),
    )


def explained(incident: Incident, hashing: Hashing) -> str:
    """A line about an incident in the message of the one that explains it."""
    seen = incident.seen
    amount = "not priced" if seen.impact_usd is None else _dollars(seen.impact_usd)
    return f"[{seen.severity.value}] {_short(incident, hashing)}: {amount} (incident {incident.number})"


def _short(incident: Incident, hashing: Hashing) -> str:
    """Check, whom it is about, and the asset."""
    seen = incident.seen
    asset = f", {in_a_line(seen.asset)}" if seen.asset and seen.asset != seen.subject_id else ""
    return f"{seen.check_name}, {_affected(seen, hashing)}{asset}"


def _affected(seen: Observation, hashing: Hashing) -> str:
    is_named = seen.subject_type not in PLAIN_SUBJECTS
    return f"{seen.subject_type} {hashing.of(seen.subject_id) if is_named else in_a_line(seen.subject_id)}"


def _listed(texts: Sequence[str], most: int = 3) -> str:
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return "; ".join(texts[:most]) + more


def _how_much(seen: Observation, *, is_named: bool) -> str:
    """What was seen and what should be. About somebody, only if both are numbers: texts may name others too."""
    unit = f" {in_a_line(seen.asset)}" if seen.asset else ""
    parts = []
    texts = [text for text in (seen.observed, seen.expected) if text is not None]
    if seen.observed is not None and (not is_named or all(_NUMBER.fullmatch(text) for text in texts)):
        expected = f", expected {seen.expected}" if seen.expected is not None else ""
        parts.append(in_a_line(f"{seen.observed}{unit}{expected}"))
    parts.append("not priced" if seen.impact_usd is None else f"{_dollars(seen.impact_usd)} at stake")
    return "; ".join(parts)


def in_a_line(text: str) -> str:
    """Text from records in one line, without signs that can't be seen: none can pass for another part of a message."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _dollars(amount: Decimal) -> str:
    return f"{amount:,.2f} USD"


def _since(seen: Observation) -> str:
    days = (seen.day - seen.since).days + 1
    return f"{seen.since} ({days} days)" if days > 1 else str(seen.since)


def _changed(incident: Incident, before: Incident | None, occasion: Occasion) -> str:
    """What is new since the last message about it."""
    if before is None or occasion is Occasion.OPENED:
        return "first message"
    if occasion is Occasion.RESOLVED:
        return f"not found any more on {incident.resolved_at:%Y-%m-%d %H:%M} UTC"
    if occasion is Occasion.ACKNOWLEDGED:
        return f"{incident.acknowledged_by} has taken note"
    told, now = before.told_impact_usd, incident.seen.impact_usd
    if told == now:
        amount = (
            "it explains more than before" if _only_explains(incident, before, occasion) else "the amount is the same"
        )
    elif told is None or now is None:
        amount = "the amount became known" if told is None else "unpriced now"
    else:
        amount = f"from {_dollars(told)} to {_dollars(now)}"
    if before.told_severity is not None and before.told_severity is not incident.seen.severity:
        amount += f", from {before.told_severity.value} to {incident.seen.severity.value}"
    return amount


def _only_explains(incident: Incident, before: Incident, occasion: Occasion) -> bool:
    return occasion is Occasion.GREW and before.told_severity is incident.seen.severity


def _query(seen: Observation, *, is_named: bool) -> str:
    """The evidence, or, where it might name somebody, a query that finds it by the day and the check."""
    if seen.evidence and not is_named:
        return seen.evidence
    asset = "" if seen.asset is None else f" and asset = {quoted(in_a_line(seen.asset))}"
    check = f"check_name = {quoted(seen.check_name)}"
    return f"select * from audit.finding where as_of_date = date '{seen.day}' and {check}{asset}"
