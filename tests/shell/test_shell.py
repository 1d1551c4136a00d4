"""The shell: what ends a statement, what its commands say, what Tab offers, and all of it at a real terminal once."""

from __future__ import annotations

import io
import os
import pty
import select
import signal
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from orchestration import cli
from orchestration.errors import ConfigurationError
from orchestration.reading.published import QueryError, open_published
from orchestration.settings import environment_of_same_imports, shell_history_file
from orchestration.shell.completing import SqlCompleter
from orchestration.shell.names import Names, Relation, read_names
from orchestration.shell.session import COMMANDS, Session, run_script
from orchestration.shell.statements import cut
from orchestration.shell.terminal import answer, history, is_whole, prompt_session


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("warehouse")
    with duckdb.connect(str(folder / "ringfence.duckdb")) as connection:
        connection.execute(
            """
            create schema marts;
            create schema audit;
            create table audit.finding (check_name text, severity text);
            create table marts.fct_solvency_daily (as_of_date date, coverage_ratio decimal(38, 12), status text);
            insert into marts.fct_solvency_daily values ('2024-01-01', 0.5, 'short'), ('2024-01-02', 1, 'covered');
            comment on table marts.fct_solvency_daily is 'The answer of the day. Grain: one row per day.';
            comment on column marts.fct_solvency_daily.status is 'covered, short or incomplete.';
            create view marts.coverage_today as
            from marts.fct_solvency_daily order by as_of_date desc limit 1;
            comment on view marts.coverage_today is 'What is covered today. Grain: one row.';
            """
        )
    return folder


@pytest.fixture
def connection(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = open_published(warehouse)
    yield connection
    connection.close()


@pytest.fixture
def names(connection: duckdb.DuckDBPyConnection) -> Names:
    return read_names(connection)


@pytest.fixture
def session(connection: duckdb.DuckDBPyConnection, names: Names) -> Session:
    return Session(connection, names, io.StringIO())


def said(session: Session) -> str:
    assert isinstance(session.out, io.StringIO)
    text = session.out.getvalue()
    session.out.seek(0)
    session.out.truncate()
    return text


@pytest.mark.parametrize(
    ("text", "statements", "rest"),
    [
        ("select 1; select 2", ["select 1"], " select 2"),
        ("select ';' as \"a;b\"; ", ["select ';' as \"a;b\""], ""),
        ("select 'it''s;'", [], "select 'it''s;'"),
        (r"select e'it\'s;' ; select 1", [r"select e'it\'s;'"], " select 1"),
        ("select 1 -- no; end\n;", ["select 1 -- no; end"], ""),
        ("select /* a; b */ 1;", ["select /* a; b */ 1"], ""),
        ("select $$a;b$$, $x$;$$;$x$;", ["select $$a;b$$, $x$;$$;$x$"], ""),
        ("select 'not ended; select 1;", [], "select 'not ended; select 1;"),
        ("select /* not ended; ", [], "select /* not ended; "),
        (";;\n-- nothing\n;", [], ""),
        ("-- nothing", [], ""),
        ("select 10 - 4 / 2 ;", ["select 10 - 4 / 2"], ""),
        ("", [], ""),
    ],
)
def test_a_semicolon_ends_a_statement_unless_it_is_quoted(text: str, statements: list[str], rest: str) -> None:
    found = cut(text)
    assert ([statement for _, statement in found.statements], found.rest) == (statements, rest)


def test_enter_ends_commands_and_whole_statements_alone() -> None:
    assert all(map(is_whole, ("", "  ", ".tables", "select 1;", "select 1; -- that's it", "select ';';")))
    assert not any(map(is_whole, ("select 1", "select 1; select 2", "select ';", "-- a comment")))


def test_commands_say_what_the_file_says_of_itself(session: Session) -> None:
    session.run_command(".tables")
    assert said(session).splitlines() == [
        "table                     columns  what it is",
        "marts.coverage_today            3  What is covered today.",
        "marts.fct_solvency_daily        3  The answer of the day.",
        "audit.finding                   2",
    ]
    session.run_command(".tables audit")
    assert "solvency" not in said(session)
    session.run_command(".columns fct_solvency_daily")
    assert said(session).splitlines()[::4] == [
        "marts.fct_solvency_daily: The answer of the day. Grain: one row per day.",
        "status          VARCHAR         covered, short or incomplete.",
    ]
    session.run_command(".questions")
    assert said(session).splitlines()[1:] == ["marts.coverage_today  What is covered today."]
    session.run_command(".help")
    assert all(word in said(session) or word for word in COMMANDS)
    session.run_command(".quit")
    assert session.has_ended


def test_answers_are_tables_and_views_of_the_marts_that_are_no_fact_and_no_dimension() -> None:
    named = [
        ("audit", "finding", False),
        ("marts", "dim_asset", False),
        ("marts", "fct_solvency_daily", True),
        ("marts", "coverage_today", True),
        ("marts", "own_token_dependence", False),
    ]
    relations = tuple(Relation(schema, name, is_view, "", ()) for schema, name, is_view in named)
    answers = [answer.name for answer in Names(relations, (), ()).answers]
    assert answers == ["coverage_today", "own_token_dependence"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (".tabels", "no command .tabels; did you mean .tables?"),
        (".x", "no command .x; see .help"),
        (".tables zzz", "no table has 'zzz' in its name"),
        (".columns", "name a table: .columns marts.fct_solvency_daily"),
        (".columns marts.fct_solvency", "no table 'marts.fct_solvency'; did you mean marts.fct_solvency_daily?"),
        (".columns zzz", "no table 'zzz'; see .tables"),
        (".format xml", "the format is one of table, json, csv, markdown; it is table now"),
        (".limit -1", "whole number, 0 for all; it is 200 now"),
    ],
)
def test_a_command_that_can_t_be_done_says_what_to_do(session: Session, line: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        session.run_command(line)


def test_format_and_limit_hold_for_what_follows(session: Session) -> None:
    run_script(session, ".format csv\n.limit 1;\nfrom marts.fct_solvency_daily;\n.limit 0\nfrom range(201)")
    lines = said(session).splitlines()
    assert lines[:3] == [
        "as_of_date,coverage_ratio,status",
        "2024-01-01,0.500000000000,short",
        "the first 1 rows; .limit 0 shows all",
    ]
    assert len(lines) == 3 + 202


def test_a_script_ends_at_its_first_error_and_names_its_line(session: Session) -> None:
    with pytest.raises(QueryError, match="at line 4, column 3; did you mean status"):
        run_script(session, "select 1 as one;\n\nselect\n  statu\nfrom marts.fct_solvency_daily;\nselect 2 as two;")
    assert said(session).split() == ["one", "1"]
    with pytest.raises(ConfigurationError, match=r"line 2: there is no command \.zzz"):
        run_script(session, "select 1;\n.zzz\nselect 2;")
    with pytest.raises(QueryError, match="Parser Error"):
        run_script(session, "select 'never ended")
    run_script(session, "")
    run_script(session, ".quit\nselect 3 as three")
    assert "three" not in said(session)


def test_from_a_pipe_it_runs_what_comes_and_asks_nothing(
    warehouse: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, status, out, told in (
        (".format csv\nselect status from marts.coverage_today;", 0, "status\ncovered\n", ""),
        ("select 1;\nfrom marts.nothing_like_it", 2, "1\n1\n", "at line 2, column 6"),
        ("create table marts.x as select 1;", 2, "", "read-only"),
        ("from 'x.csv';", 2, "", "nothing else"),
    ):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        assert cli._invoke(["sql", "--warehouse", str(warehouse)]) == status
        captured = capsys.readouterr()
        assert captured.out == out
        assert told in captured.err
        assert captured.err.count("\n") == (status != 0)


def offered(names: Names, before: str, after: str = "") -> list[str]:
    document = Document(before + after, len(before))
    return [found.text for found in SqlCompleter(names).get_completions(document, CompleteEvent())]


def test_tab_offers_what_fits(names: Names) -> None:
    assert offered(names, "select * from marts.fct") == ["marts.fct_solvency_daily"]
    assert offered(names, "select * from fct") == ["fct_solvency_daily"]
    assert offered(names, "from marts.fct_solvency_daily join ")[:3] == [
        "marts.coverage_today", "marts.fct_solvency_daily", "audit.finding"
    ]  # fmt: skip
    assert offered(names, "select s.st", " from marts.fct_solvency_daily s") == ["s.status"]
    assert offered(names, "select s.", " from marts.fct_solvency_daily as s") == [
        "s.as_of_date", "s.coverage_ratio", "s.status"
    ]  # fmt: skip
    assert offered(names, "select cove", "\nfrom fct_solvency_daily")[0] == "coverage_ratio"
    assert offered(names, "select ", "\nfrom audit.finding") == ["check_name", "severity"]
    assert "select" in offered(names, "sel")
    assert "strftime" in offered(names, "select strf")
    assert offered(names, "from audit.") == ["audit.finding"]
    assert offered(names, "select marts.") == ["marts.coverage_today", "marts.fct_solvency_daily"]
    assert offered(names, "where status = 'sho") == []
    assert offered(names, "select 1 -- fro") == []
    assert offered(names, ".c") == [".columns"]
    assert offered(names, ".columns audit") == ["audit.finding"]
    assert offered(names, ".format m") == ["markdown"]
    assert offered(names, "zzz") == []


def test_keys_make_a_statement_of_several_lines(session: Session) -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        prompt = prompt_session(session, InMemoryHistory())
        keys.send_text("select 1\r+ 1 as n;\r.tables\r\r\x03\x04")
        assert [prompt.prompt(), prompt.prompt(), prompt.prompt()] == ["select 1\n+ 1 as n;", ".tables", ""]
        with pytest.raises(KeyboardInterrupt):
            prompt.prompt()
        with pytest.raises(EOFError):
            prompt.prompt()


def test_an_error_is_a_line_and_the_session_goes_on(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    answer(session, "select 1 as one; from nothing_like_it;")
    answer(session, ".zzz")
    answer(session, "select 2 as two;")
    assert said(session).split() == ["one", "1", "two", "2"]
    assert capsys.readouterr().err.count("\n") == 2


def test_history_is_its_user_s_alone_and_no_place_for_it_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = shell_history_file()
    path.parent.mkdir(parents=True)
    path.touch(mode=0o644)
    history(path).append_string("select 1;")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(history(path).load_history_strings()) == ["select 1;"]
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert shell_history_file() == Path.home() / ".local" / "state" / "ringfence" / "sql_history"
    (tmp_path / "file").touch()
    assert isinstance(history(tmp_path / "file" / "history"), InMemoryHistory)
    assert "lines typed here aren't kept" in capsys.readouterr().err


class Terminal:
    """A real pseudo-terminal with a shell in it."""

    def __init__(self, warehouse: Path, state: Path) -> None:
        command = [sys.executable, "-m", "orchestration.cli", "sql", "--warehouse", str(warehouse)]
        environment = {**environment_of_same_imports(), "XDG_STATE_HOME": str(state), "TERM": "xterm"}
        self.child, self.controller = pty.fork()
        if not self.child:
            os.execve(sys.executable, command, environment)
        self.shown = ""

    def types(self, text: str) -> None:
        os.write(self.controller, text.encode())

    def shows(self, text: str, keys: str = "") -> None:
        """Read until the text is there; now and then press keys, and answer when the prompt asks for its cursor."""
        end = time.monotonic() + 60
        while text not in self.shown:
            assert time.monotonic() < end, self.shown
            if select.select([self.controller], [], [], 0.2)[0]:
                self.shown += self._read()
                if "\x1b[6n" in self.shown:
                    self.shown = self.shown.replace("\x1b[6n", "")
                    self.types("\x1b[1;1R")
            elif keys:
                self.types(keys)
        self.shown = self.shown.partition(text)[2]

    def _read(self) -> str:
        try:
            return os.read(self.controller, 65536).decode(errors="replace")
        except OSError:
            pytest.fail(f"the shell has ended: {self.shown}")

    def asked(self, text: str) -> None:
        """Type at the next prompt; before it, keys would be the terminal's own."""
        self.shows("\x1b[?2004h")
        self.types(text)

    def ends(self) -> int:
        """The exit status, once it has ended by itself."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found, status = os.waitpid(self.child, os.WNOHANG)
            if found:
                self.child = 0
                return os.waitstatus_to_exitcode(status)
            select.select([self.controller], [], [], 0.05)
        pytest.fail(f"the shell goes on: {self.shown}")

    def close(self) -> None:
        if self.child:
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
        os.close(self.controller)


def test_at_a_real_terminal(warehouse: Path, tmp_path: Path) -> None:
    terminal = Terminal(warehouse, tmp_path)
    try:
        terminal.shows("read-only. SQL ends with a semicolon")
        terminal.asked("select status as answer\rfrom marts.cov\t")
        terminal.shows("erage_today")
        terminal.types(";\r")
        terminal.shows("covered")
        terminal.shows("1 row, ")
        terminal.asked("select statu from marts.coverage_today;\r")
        terminal.shows("did you mean status?")
        terminal.asked("select count(*) from range(1000000000000) where hash(range) % 7 = 1;\r")
        terminal.shows("\x1b[?2004l")  # the prompt has taken it
        terminal.shows("stopped", keys="\x03")
        terminal.asked("select 40 + 2 as n;\r")
        terminal.shows("42")
        terminal.asked("\x04")
        assert terminal.ends() == 0
    finally:
        terminal.close()
    kept = (tmp_path / "ringfence" / "sql_history").read_text(encoding="utf-8")
    assert "select 40 + 2 as n;" in kept
