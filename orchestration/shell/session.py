"""What the shell does with a line: statements are run, words with a dot before them are its own commands.

What belongs here: running, and what is printed. What doesn't: keys, colours and history (``terminal``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from shutil import get_terminal_size
from textwrap import fill
from time import perf_counter
from typing import TextIO

import duckdb

from orchestration.errors import ConfigurationError
from orchestration.reading.formats import OutputFormat
from orchestration.reading.output import counted, write_rows
from orchestration.reading.published import Rows, fetch_some
from orchestration.reading.query_errors import close_to
from orchestration.reading.results import NULL
from orchestration.safe_text import printable
from orchestration.shell.names import Names, Relation
from orchestration.shell.statements import cut

MOST_ROWS = 200
_PIPED_WIDTH = 200
_LEAST_WIDTH = 40

COMMANDS = {
    ".tables": ("[PART]", "tables, or those with PART in their name"),
    ".columns": ("TABLE", "columns of a table or view, with what they mean"),
    ".questions": ("", "ready-made answers to the questions that people ask"),
    ".format": ("table|csv|json|markdown", "how results are printed"),
    ".limit": ("N", "most rows printed; 0 is all"),
    ".help": ("", "these lines"),
    ".quit": ("", "leave; so does Ctrl-D"),
}


class CommandError(ConfigurationError):
    """A command of the shell can't be done."""


@dataclass
class Session:
    """A connection, what is known of its file, and how results are printed."""

    connection: duckdb.DuckDBPyConnection
    names: Names
    out: TextIO
    format_: OutputFormat = OutputFormat.TABLE
    limit: int = MOST_ROWS
    is_interactive: bool = False
    has_ended: bool = field(default=False, init=False)

    def run_statement(self, sql: str) -> None:
        """Run one statement and print its result; raise QueryError if it can't be run."""
        began = perf_counter()
        rows, is_cut = fetch_some(self.connection, sql, self.limit or None)
        seconds = perf_counter() - began
        write_rows(rows, self.format_, self.out, null=NULL)
        if is_cut:
            self._say(f"the first {self.limit:,} rows; .limit 0 shows all")
        elif self.is_interactive:
            self._say(f"{counted(len(rows.values), 'row')}, {seconds:.2f} s")

    def run_command(self, line: str) -> None:
        """Do one of the shell's own commands; raise CommandError for one that it hasn't."""
        word, _, argument = line.strip().rstrip(";").partition(" ")
        actions: dict[str, Callable[[str], None]] = {
            ".tables": self._tables,
            ".columns": self._columns,
            ".questions": self._questions,
            ".format": self._format,
            ".limit": self._limit,
            ".help": self._help,
            ".quit": self._quit,
            ".exit": self._quit,
        }
        if word not in actions:
            close = close_to(word, list(COMMANDS))
            raise CommandError(f"there is no command {word}; {f'did you mean {close[0]}?' if close else 'see .help'}")
        actions[word](argument.strip())

    def _say(self, text: str) -> None:
        width = get_terminal_size((_PIPED_WIDTH, 0)).columns if self.out.isatty() else _PIPED_WIDTH
        self.out.write(fill(printable(text), max(width, _LEAST_WIDTH)) + "\n")

    def _print(self, columns: tuple[str, ...], values: Sequence[tuple[object, ...]]) -> None:
        write_rows(Rows(columns, tuple(values)), OutputFormat.TABLE, self.out)

    def _tables(self, part: str) -> None:
        found = [relation for relation in self.names.relations if part.lower() in relation.full_name]
        if not found:
            raise CommandError(f"no table has {part!r} in its name; see .tables")
        self._print(
            ("table", "columns", "what it is"),
            [(relation.full_name, len(relation.columns), relation.first_sentence) for relation in found],
        )

    def _columns(self, name: str) -> None:
        relation = self._relation(name)
        self._say(f"{relation.full_name}: {relation.comment or 'not described'}")
        self._print(
            ("column", "type", "what it is"),
            [(column.name, column.type_name, column.comment) for column in relation.columns],
        )

    def _relation(self, name: str) -> Relation:
        if not name:
            raise CommandError("name a table: .columns marts.fct_solvency_daily")
        if name not in self.names.by_name:
            close = [self.names.by_name[found].full_name for found in close_to(name, list(self.names.by_name))]
            hint = f"did you mean {' or '.join(dict.fromkeys(close))}?" if close else "see .tables"
            raise CommandError(f"there is no table {name!r}; {hint}")
        return self.names.by_name[name]

    def _questions(self, _: str) -> None:
        if not self.names.answers:
            self._say("this warehouse was published without ready-made answers; .tables shows what there is")
            return
        answers = [(answer.full_name, answer.first_sentence) for answer in self.names.answers]
        self._print(("select from", "what it answers"), answers)

    def _format(self, name: str) -> None:
        if name not in set(OutputFormat):
            raise CommandError(f"the format is one of {', '.join(OutputFormat)}; it is {self.format_} now")
        self.format_ = OutputFormat(name)

    def _limit(self, number: str) -> None:
        if not (number.isascii() and number.isdigit()):
            raise CommandError(f"write .limit N with a whole number, 0 for all; it is {self.limit} now")
        self.limit = int(number)

    def _help(self, _: str) -> None:
        self._print(("command", "", "what it does"), [(word, *rest) for word, rest in COMMANDS.items()])
        self._say("Anything else is SQL and ends with a semicolon. Tab completes names; Ctrl-C stops a query.")

    def _quit(self, _: str) -> None:
        self.has_ended = True


def run_script(session: Session, text: str) -> None:
    """Run what came from a file or a pipe, command lines too; the first that fails ends it, with its line named."""
    waiting, first = "", 1
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if session.has_ended:
            return
        if not waiting and line.lstrip().startswith("."):
            _run_command_of(session, line, number)
            continue
        first = first if waiting else number
        found = cut(waiting + line)
        for at, statement in found.statements:
            # As many lines before it as in the script, so that an error names the script's line.
            session.run_statement("\n" * (first + at - 2) + statement)
        first = number if found.statements else first
        waiting = found.rest
    if waiting:
        session.run_statement("\n" * (first - 1) + waiting)


def _run_command_of(session: Session, line: str, number: int) -> None:
    try:
        session.run_command(line)
    except CommandError as error:
        raise CommandError(f"line {number}: {error}") from error
