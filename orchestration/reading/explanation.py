"""What each check means: its rule, why it exists, the loss it prevents, its sources, and what to do when it fires.

What belongs here: reading the explanations, which stand beside the finding models, and filling in the policy in force.
What doesn't: the explanations themselves (``dbt_project/models/findings/<kind>/<check>.yml``, under
``config.meta.explanation``, and the rules that a check answers to under ``config.meta.rules``) and the documents they
refer to (``dbt_project/references.yml``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from textwrap import wrap
from typing import Any

import yaml

from orchestration.checks import CHECK_DISABLED, Check, checks_by_name
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.policy import PolicyInForce
from orchestration.settings import DBT_PROJECT, REPOSITORY

REFERENCES_FILE = DBT_PROJECT / "references.yml"
_DISABLED_FILE = REPOSITORY / "orchestration" / "pipeline" / "check_disabled.yaml"
_SETTING = re.compile(r"\{([a-z_]+\.[a-z_]+)\}")
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Reference:
    """A published document, and what the check takes from it."""

    document: str
    says: str


@dataclass(frozen=True, slots=True)
class RuleAnswered:
    """A rule of law or of a standard that a check answers to, and what of it is computed; never more than that."""

    document: str
    at: str
    computed: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an auditor asks about a check. ``rule`` names settings of policy in braces.

    ``rules`` are those that it answers to; there may be none.

    ``look_at`` are queries on the published file, largest rows first, with ``$date``, ``$subject`` and ``$asset`` of a
    finding: the figures that a finding's own evidence is made of.
    """

    check: Check
    rule: str
    why: str
    prevents: str
    sources: tuple[Reference, ...]
    rules: tuple[RuleAnswered, ...]
    when_it_fires: str
    look_at: tuple[str, ...]

    @property
    def settings(self) -> tuple[str, ...]:
        """Settings of policy that the rule depends on, in the order in which it names them."""
        return tuple(dict.fromkeys(_SETTING.findall(self.rule)))


def find_check(name: str) -> Check:
    """The check of that name. Raises ConfigurationError with the nearest names if the catalogue has none."""
    checks = {**checks_by_name(), CHECK_DISABLED.name: CHECK_DISABLED}
    if name in checks:
        return checks[name]
    near = get_close_matches(name, checks, n=3, cutoff=0.5) or [key for key in checks if name and name in key][:3]
    hint = f"did you mean {' or '.join(near)}?" if near else f"the checks are {', '.join(sorted(checks))}"
    raise ConfigurationError(f"no check is named {name!r}; {hint}")


def _stated(check: Check) -> tuple[Path, Mapping[str, Any]]:
    """The file that explains the check, and what it says: the explanation, and the rules that the check answers to."""
    if check == CHECK_DISABLED:
        return _DISABLED_FILE, yaml.safe_load(_DISABLED_FILE.read_text(encoding="utf-8"))
    path = DBT_PROJECT / "models" / "findings" / check.kind.value / f"{check.name}.yml"
    models = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    return path, models[0].get("config", {}).get("meta", {})


@cache
def _references() -> Mapping[str, str]:
    """The documents by key."""
    documents: dict[str, str] = yaml.safe_load(REFERENCES_FILE.read_text(encoding="utf-8"))
    return documents


def read_explanation(check: Check) -> Explanation:
    """The check's explanation. Raises RingfenceError, naming the file, if a part of it is missing."""
    path, said = _stated(check)
    references = _references()
    try:
        stated, rules = said["explanation"], said["rules"]
        return Explanation(
            check=check,
            rule=stated["rule"].strip(),
            why=stated["why"].strip(),
            prevents=stated["prevents"].strip(),
            sources=tuple(Reference(references[item["reference"]], item["says"].strip()) for item in stated["sources"]),
            rules=tuple(
                RuleAnswered(references[item["reference"]], item["at"], item["computed"].strip()) for item in rules
            ),
            when_it_fires=stated["when_it_fires"].strip(),
            look_at=tuple(query.strip() for query in stated.get("look_at", ())),
        )
    except (KeyError, AttributeError, TypeError) as error:
        raise RingfenceError(f"{path.name}: the explanation lacks {error}") from error


def _paragraph(title: str, text: str) -> Iterator[str]:
    yield title
    yield from wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield ""


def rule_in_force(explanation: Explanation, policy: PolicyInForce) -> str:
    """The rule with the policy in force filled in."""
    return _SETTING.sub(lambda found: policy.setting(found[1]), explanation.rule)


def explanation_lines(explanation: Explanation, policy: PolicyInForce) -> Iterator[str]:
    """The explanation as people read it, with the policy in force filled in."""
    check = explanation.check
    state = policy.check_state(check)
    yield f"{check.name}: {check.kind.value}, {state}"
    yield ""
    yield from _paragraph("Rule", rule_in_force(explanation, policy))
    yield from _paragraph("Why it exists", explanation.why)
    yield from _paragraph("The loss it prevents", explanation.prevents)
    yield "Sources"
    for source in explanation.sources:
        text = f"{source.document}: {source.says}"
        yield from wrap(text, _WIDTH, initial_indent="  - ", subsequent_indent="    ")
    yield ""
    if explanation.rules:
        yield "Rules it answers to, and what of them is computed"
        for rule in explanation.rules:
            yield from wrap(f"{rule.at}: {rule.computed}", _WIDTH, initial_indent="  - ", subsequent_indent="    ")
        yield ""
    yield from _paragraph("When it fires", explanation.when_it_fires)
    yield f"Policy in force ({policy.origin})"
    yield f"  {'severity':<50} {state}"
    for name in explanation.settings:
        yield f"  {name:<50} {policy.setting(name)}"
