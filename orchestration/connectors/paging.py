"""Answers in pages: read to their true end, or not at all.

What belongs here: telling the end from a page that merely looks like it. What doesn't: any API's parameters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from orchestration.connectors.errors import IncompleteError

MOST_PAGES = 1_000_000


@dataclass(frozen=True, slots=True)
class Page:
    """One page. ``next_cursor`` asks for the next one; None only if the API itself said that this is the last.

    An API that says no such thing is asked on until it answers with a page without items.
    """

    items: list[Any]
    next_cursor: Any = None


def pages(fetch: Callable[[Any], Page], place: str, *, start: Any = None, most: int = MOST_PAGES) -> Iterator[Page]:
    """Yield pages from ``start`` on, each asked for with the cursor of the one before.

    Raises IncompleteError if a cursor or a whole page comes again (a loop: the rest is never reached), or if there is
    no end after ``most`` pages. A short page is no end.
    """
    cursor, cursors, contents = start, {repr(start)}, set()
    for _ in range(most):
        page = fetch(cursor)
        if page.items:
            content = hashlib.sha256(repr(page.items).encode()).digest()
            if content in contents:
                raise IncompleteError(f"{place} gave the same page twice", "its paging can't be trusted")
            contents.add(content)
        yield page
        if page.next_cursor is None:
            return
        cursor = page.next_cursor
        if repr(cursor) in cursors:
            raise IncompleteError(f"{place} gave the same cursor twice", "its paging can't be trusted")
        cursors.add(repr(cursor))
    raise IncompleteError(f"{place} had no end after {most:,} pages", "narrow what is pulled, or mend its paging")
