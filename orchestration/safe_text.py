r"""Texts from outside, made harmless where they are shown: terminals, logs, spreadsheets.

What belongs here: what a terminal or a spreadsheet would take for a command. What doesn't: who may be named
(``keyed_hashes``), markup of pages and chats (their own escaping).
"""

from __future__ import annotations

import re

_CONTROLS = re.compile(
    # All that moves a cursor, recolours, rings, or turns the reading direction; tabs and line breaks are left.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
    "\ud800-\udfff]"
)
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_COMMANDS = "=+\\-@＝＋－＠﹢﹣﹦﹫"
_INVISIBLE = "[ \u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*"
_PLACE = f"(^|[;\\t\\r\\n])({_INVISIBLE})"
_DANGEROUS = re.compile(f"{_PLACE}(?=['{_COMMANDS}])")
_GUARDED = re.compile(f"{_PLACE}'(?=['{_COMMANDS}])")
_LEADING_BREAK = re.compile("^'*(?=[\t\r\n])")


def printable(text: str) -> str:
    r"""``text`` with control characters spelled out (``\x1b``): nothing in it moves a cursor or hides what is said."""
    return _CONTROLS.sub(lambda found: _spelled(found[0]), text)


def one_line(text: str) -> str:
    """``text`` on one line, printable."""
    return printable(" ".join(text.split()))


def escaped_in_json(text: str) -> str:
    """JSON text in which control characters are escapes, also those that JSON would allow as they are."""
    return _CONTROLS.sub(lambda found: "".join(f"\\u{unit:04x}" for unit in _utf16(found[0])), text)


def _utf16(character: str) -> tuple[int, ...]:
    units = character.encode("utf-16-be", errors="surrogatepass")
    return tuple(int.from_bytes(units[place : place + 2]) for place in range(0, len(units), 2))


def _spelled(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def csv_text(text: str) -> str:
    """A text as a cell that no spreadsheet takes for a formula, whichever separator it believes in.

    An apostrophe is put before each ``=``, ``+``, ``-``, ``@`` (full-width ones too) and apostrophe that a cell could
    begin with: at the start of the text, or after a semicolon, tab or line break; and before a text that begins with a
    tab or line break. Plain numbers stay numbers. ``text_of_csv`` is the way back.
    """
    if _NUMBER.fullmatch(text):
        return text
    guarded = _DANGEROUS.sub(r"\1\2'", text)
    return "'" + guarded if _LEADING_BREAK.match(guarded) else guarded


def text_of_csv(cell: str) -> str:
    """The text that ``csv_text`` made the cell of."""
    if _NUMBER.fullmatch(cell):
        return cell
    unbroken = cell[1:] if re.match("'+[\t\r\n]", cell) else cell
    return _GUARDED.sub(r"\1\2", unbroken)
