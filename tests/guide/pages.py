"""Pages and their blocks: what a page shows is run, and must come out as the page says.

What belongs here: taking a page apart, running its console blocks, putting what came out back in. What doesn't: what is
generated into a page (``generated``), and which pages there are (``exchange``, ``refresh``).

A console block holds commands after ``$ ``, each followed by its standard output. Commands are run as a shell would run
them, Ringfence's own in this process; nothing of what they print is changed but blanks at the ends of lines.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from orchestration import cli

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_GENERATED = re.compile(r"(?<=^<!-- generated: )(\w+)( -->\n)(.*?)(?=^<!-- end -->$)", re.MULTILINE | re.DOTALL)
_PROMPT = "$ "
FILTERS = frozenset({"cat", "cut", "grep", "head", "sed", "tail"})
"""Programs that a page may hand output to."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language and what stands between the fences."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a console block, as written, and what the page says that it prints."""

    line: str
    output: str


def blocks(page: str) -> list[Block]:
    """The page's fenced blocks. Raises ValueError if a fence stands alone, or not at a line's beginning."""
    found = [Block(*match.groups()) for match in _BLOCK.finditer(page)]
    if page.count("```") != 2 * len(found):
        raise ValueError("a fence is not closed, or does not begin its line")
    return found


def commands(block: Block) -> list[Command]:
    """The commands of a console block, each with the output below it."""
    lines = iter(block.text.splitlines())
    found: list[Command] = []
    for line in lines:
        if line.startswith(_PROMPT):
            found.append(Command(_whole(line.removeprefix(_PROMPT), lines), ""))
        elif not found:
            raise ValueError(f"a console block begins with a command, not with {line!r}")
        else:
            found[-1] = Command(found[-1].line, f"{found[-1].output}{line}\n")
    return found


def shown_commands(page: str, program: str) -> list[str]:
    """Every command of that program in the page's blocks, whether it is run or only shown."""
    found = []
    for block in blocks(page):
        lines = iter(block.text.splitlines())
        for line in lines:
            start = re.match(rf"(?:\$ |as_ringfence )?(?:\.venv/bin/)?{program} ", line)
            if start is not None:
                found.append(f"{program} {_whole(line[start.end() :], lines)}")
    return found


def _whole(line: str, following: Iterator[str]) -> str:
    """The command with the lines that belong to it: after a backslash, or within quotes."""
    while line.endswith("\\") or _is_open(line):
        more = next(following, None)
        if more is None:
            raise ValueError(f"a command is not ended: {line!r}")
        line += f"\n{more}"
    return line


def _is_open(line: str) -> bool:
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return True
    return False


class Shell:
    """Runs a page's commands in a folder, one after the other, and remembers how the last one ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.status = 0

    def run(self, line: str) -> str:
        """Run a command and return what it prints. Raises AssertionError if a page may not have such a command."""
        if line == "echo $?":
            return f"{self.status}\n"
        reader = shlex.shlex(line.replace("\\\n", " "), posix=True, punctuation_chars="|>")
        reader.whitespace_split = True
        first, *filters = _segments(list(reader))
        target = None
        if ">" in first:
            first, target = first[: first.index(">")], first[first.index(">") + 1]
        with chdir(self.folder):
            out = self._ringfence(first[1:]) if first[0] == "ringfence" else self._filtered(first, None)
            for segment in filters:
                out = self._filtered(segment, out)
            if target is None:
                return _stripped(out)
            Path(target).write_text(out, encoding="utf-8")
        return ""

    def _ringfence(self, arguments: list[str]) -> str:
        out, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(errors):
            self.status = cli._invoke(arguments)
        assert self.status in (0, 3), errors.getvalue()
        return out.getvalue()

    def _filtered(self, command: list[str], given: str | None) -> str:
        assert command[0] in FILTERS, f"{command[0]} is no program that a page may use"
        ended = subprocess.run(
            command, input=given, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"}
        )
        assert ended.returncode == 0, f"{command}: {ended.stderr}"
        self.status = 0
        return ended.stdout


def _segments(tokens: list[str]) -> Iterator[list[str]]:
    while "|" in tokens:
        place = tokens.index("|")
        yield tokens[:place]
        tokens = tokens[place + 1 :]
    yield tokens


def _stripped(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def with_outputs(page: str, shell: Shell) -> str:
    """The page with what its commands print now."""

    def filled(match: re.Match[str]) -> str:
        block = Block(*match.groups())
        if block.language != "console":
            return match[0]
        shown = "".join(f"{_PROMPT}{command.line}\n{shell.run(command.line)}" for command in commands(block))
        return f"```console\n{shown}```"

    return _BLOCK.sub(filled, page)


def not_printed(shown: str, printed: str) -> list[str]:
    """Lines of a shortened example that a command doesn't print: ``...`` stands for anything, and blanks for blanks."""
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    return [
        line
        for line in shown.splitlines()
        if not any(re.fullmatch(".*".join(map(re.escape, " ".join(line.split()).split("..."))), text) for text in lines)
    ]


def generated_parts(page: str) -> dict[str, str]:
    """What stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``, by name, without empty lines around."""
    return {name: text.strip("\n") + "\n" for name, _, text in _GENERATED.findall(page)}


def with_generated(page: str, parts: dict[str, str]) -> str:
    """The page with these parts in their places."""
    return _GENERATED.sub(lambda match: f"{match[1]}{match[2]}\n{parts[match[1]]}\n", page)
