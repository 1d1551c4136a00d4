"""Names that could go on where the cursor is: tables after FROM, a table's columns after its alias, and so on.

What belongs here: which names fit. What doesn't: where they come from (``names``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from orchestration.reading.formats import OutputFormat
from orchestration.shell.names import SCHEMAS, Names, Relation
from orchestration.shell.session import COMMANDS

_WORD = re.compile(r"[\w.]*$")
_AFTER_TABLE_WORD = re.compile(
    r"\b(?:from|join|describe|summarize|table)\s+[\w.]*$|\bfrom\s[^()]*,\s*[\w.]*$", re.IGNORECASE
)
_NAMED = re.compile(r"\b(?:from|join|,)\s*([\w.]+)(?:\s+(?:as\s+)?(\w+))?", re.IGNORECASE)
_LISTED = re.compile(r",\s*([\w.]+)(?:\s+(?:as\s+)?(\w+))?", re.IGNORECASE)
_QUOTED = re.compile(r"'(?:[^']|'')*$|--[^\n]*$")


class SqlCompleter(Completer):
    """Completes names of the published file, and the shell's own commands."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:  # noqa: ARG002
        """Yield what fits at the cursor, the likeliest first."""
        before = document.text_before_cursor
        word = _WORD.search(before)
        typed = word[0] if word else ""
        seen = set()
        for name, kind in self._fitting(before, document.text, typed):
            if name.lower().startswith(typed.lower()) and name not in seen and name != typed:
                seen.add(name)
                yield Completion(name, start_position=-len(typed), display_meta=kind)

    def _fitting(self, before: str, text: str, typed: str) -> Iterator[tuple[str, str]]:
        if before.lstrip().startswith("."):
            yield from self._of_command(before.lstrip())
        elif _QUOTED.search(before.rpartition(";")[2]):
            return
        elif _AFTER_TABLE_WORD.search(before):
            yield from self._tables()
        elif "." in typed:
            yield from self._qualified(typed.rpartition(".")[0], text)
        elif typed or before.endswith((" ", "\n", "(", ",")):
            yield from self._anything(text, has_begun=bool(typed))

    def _of_command(self, line: str) -> Iterator[tuple[str, str]]:
        word, space, _ = line.partition(" ")
        if not space:
            yield from ((name, what) for name, (_, what) in COMMANDS.items())
        elif word == ".columns":
            yield from self._tables()
        elif word == ".format":
            yield from ((name, "format") for name in OutputFormat)

    def _tables(self) -> Iterator[tuple[str, str]]:
        for relation in self.names.relations:
            yield relation.full_name, "view" if relation.is_view else "table"
        for relation in self.names.relations:
            yield relation.name, "view" if relation.is_view else "table"

    def _qualified(self, owner: str, text: str) -> Iterator[tuple[str, str]]:
        """After a point: tables of a schema, columns of a table or alias."""
        if owner.lower() in SCHEMAS:
            yield from self._tables()
        relation = self._in_use(text).get(owner.lower()) or self.names.by_name.get(owner.lower())
        if relation is not None:
            yield from ((f"{owner}.{column.name}", column.type_name) for column in relation.columns)

    def _anything(self, text: str, *, has_begun: bool) -> Iterator[tuple[str, str]]:
        for alias, relation in self._in_use(text).items():
            if alias not in self.names.by_name:
                yield alias, relation.full_name
        for relation in dict.fromkeys(self._in_use(text).values()):
            yield from ((column.name, column.type_name) for column in relation.columns)
        if has_begun:
            yield from ((name, "keyword") for name in self.names.keywords)
            yield from ((name, "function") for name in self.names.functions)
            yield from ((f"{schema}.", "schema") for schema in SCHEMAS)

    def _in_use(self, text: str) -> dict[str, Relation]:
        """The tables that the statement names, by name and alias."""
        found: dict[str, Relation] = {}
        for name, alias in (*_NAMED.findall(text), *_LISTED.findall(text)):
            relation = self.names.by_name.get(name.lower())
            if relation is not None:
                found[relation.name] = relation
                if alias and alias.lower() not in self.names.keywords:
                    found[alias.lower()] = relation
        return found
