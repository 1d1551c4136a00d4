"""The shell at a terminal: keys, colours, history. Without a terminal, what comes is run and nothing is asked.

What belongs here: the prompt. What doesn't: what a line does (``session``), what completes it (``completing``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
from prompt_toolkit import PromptSession
from prompt_toolkit.filters import completion_is_selected, has_focus
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer

from orchestration.errors import ConfigurationError
from orchestration.safe_text import one_line
from orchestration.shell.completing import SqlCompleter
from orchestration.shell.names import read_names
from orchestration.shell.session import Session, run_script
from orchestration.shell.statements import cut

_PROMPT = "ringfence> "
_MORE = "      ...> "


def run_shell(connection: duckdb.DuckDBPyConnection, history_file: Path, greeting: Callable[[], str]) -> None:
    """Ask at a terminal until the user leaves, or run what standard input holds.

    Raises ConfigurationError, from a pipe only, at the first statement that can't be run.
    """
    session = Session(connection, read_names(connection), sys.stdout, is_interactive=sys.stdin.isatty())
    if not session.is_interactive:
        run_script(session, sys.stdin.read())
        return
    print(greeting())
    prompt = prompt_session(session, history(history_file))
    while not session.has_ended:
        try:
            text = prompt.prompt(_PROMPT)
        except KeyboardInterrupt:
            continue  # the line is given up
        except EOFError:
            return
        answer(session, text)


def prompt_session(session: Session, history: History) -> PromptSession[str]:
    """What asks for a line: Enter ends a statement after its semicolon, and begins another line before it."""
    return PromptSession(
        multiline=True,
        completer=SqlCompleter(session.names),
        complete_while_typing=False,
        history=history,
        key_bindings=_keys(),
        lexer=PygmentsLexer.from_filename("statement.sql"),
        prompt_continuation=_MORE,
        enable_open_in_editor=False,
    )


def answer(session: Session, text: str) -> None:
    """Do what was typed; an error is a line, and Ctrl-C stops the query alone."""
    try:
        if text.lstrip().startswith("."):
            session.run_command(text)
            return
        for _, statement in cut(text).statements:
            session.run_statement(statement)
    except ConfigurationError as error:
        print(one_line(str(error)), file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)


def is_whole(text: str) -> bool:
    """Whether Enter ends what was typed: a command, nothing at all, or statements up to a semicolon."""
    stripped = text.strip()
    if not stripped or stripped.startswith("."):
        return True
    return bool(cut(text).statements) and not cut(text).rest


def history(path: Path) -> History:
    """Lines of earlier sessions, for their user's eyes alone; of this one only if there is no place for them."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        print(f"lines typed here aren't kept: {path} can't be written ({error.strerror})", file=sys.stderr)
        return InMemoryHistory()
    return FileHistory(str(path))


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter", filter=has_focus("DEFAULT_BUFFER") & ~completion_is_selected)
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        is_at_end = not buffer.document.text_after_cursor.strip()
        if is_at_end and is_whole(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    @keys.add("enter", filter=has_focus("DEFAULT_BUFFER") & completion_is_selected)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.complete_state = None

    return keys
