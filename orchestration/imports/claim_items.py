"""Items of a filed claims schedule: ``BTC[0.1], NFT (123/A, B [x])[1]`` cut into names and amounts.

What belongs here: the grammar of one customer's list. What doesn't: lines, pages, customers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SEPARATORS = re.compile(r"[\s,]*")
_PLAIN_ITEM = re.compile(r"(?P<name>[^\[\](),\"]*[^\[\](),\"\s])\s*\[(?P<amount>[^\[\]]*)\](?=\s*(?:,|$))")
_NAME_WITH_PARENTHESIS = re.compile(r"[^\[\](),\"]+\(")
_ITEM_END_AFTER_PARENTHESIS = re.compile(r"\)\s*\[(?P<amount>[^\[\]]*)\](?=\s*(?:,|$))")
_ITEM_START = re.compile(r"[\s,]*(?:NFT\s*\(|[^\[\](),\"]+\[\s*[-+.\d])")
_COLLECTIBLE = re.compile(r"NFT\s*\(")
_ANY_ITEM_END = re.compile(r"\](?=\s*(?:,|$))")
_TORN_AMOUNT = re.compile(r"\[[\s\d.,eE+-]*$")
_AMOUNT_LIKE = re.compile(r"\s*[-+.\d][\d.,eE+-]*\s*")


@dataclass(frozen=True, slots=True)
class ClaimItem:
    """A stretch of a list: an item with name and amount, or, if ``name`` is None, text that is no item.

    ``start`` and ``end`` are offsets in the list's text; ``name_end`` is where the name's text ends.
    """

    start: int
    end: int
    name: str | None
    amount: str
    name_end: int


def asset_name(text: str) -> str:
    """The asset's name in one spelling: single spaces, and one before the parenthesis of ``NFT (id)``.

    Where a cell of the filed table wrapped, the export lost that space: ``NFT(1)`` and ``NFT (1)`` are one asset.
    """
    return re.sub(r"^NFT\s*\(", "NFT (", " ".join(text.split()))


def complete_items(text: str) -> Iterator[ClaimItem]:
    """The list's leading items that nothing appended to the text could change."""
    position = _skip_separators(text, 0)
    while position < len(text):
        item = _item_at(text, position, is_whole_list=False)
        if item is None or "," not in text[item.end : _skip_separators(text, item.end)]:
            return
        yield item
        position = _skip_separators(text, item.end)


def all_items(text: str) -> Iterator[ClaimItem]:
    """Every item of a whole list, and the stretches that are no item, in order; separators are left out."""
    position = _skip_separators(text, 0)
    while position < len(text):
        item = _item_at(text, position, is_whole_list=True) or _unreadable_at(text, position)
        yield item
        position = _skip_separators(text, item.end)


def is_one_item(text: str) -> bool:
    """Whether the text is exactly one item, so that a further item may follow it."""
    stripped = text.strip()
    item = _item_at(stripped, 0, is_whole_list=False) if stripped else None
    return item is not None and item.end == len(stripped)


def is_torn_amount(text: str) -> bool:
    """Whether the text, whose items are cut off but for the last, ends within an item's amount."""
    return _TORN_AMOUNT.search(text) is not None and text.count("(") <= text.count(")")


def starts_with_item(text: str) -> bool:
    """Whether the text begins as an item does, whole or not."""
    return _ITEM_START.match(text) is not None


def _item_at(text: str, position: int, *, is_whole_list: bool) -> ClaimItem | None:
    plain = _PLAIN_ITEM.match(text, position)
    if plain is not None:
        return ClaimItem(position, plain.end(), plain["name"], plain["amount"], plain.end("name"))
    if _NAME_WITH_PARENTHESIS.match(text, position) is None:
        return None
    for end in _ITEM_END_AFTER_PARENTHESIS.finditer(text, position):
        name = text[position : end.start() + 1]
        is_balanced = name.count("(") <= name.count(")")
        if is_balanced or _is_unbalanced_item(text, end, is_whole_list=is_whole_list):
            is_merged = _COLLECTIBLE.search(name, 1) is not None or (not is_balanced and "[" in name)
            return ClaimItem(position, end.end(), None if is_merged else name, end["amount"], end.start() + 1)
    return None


def _is_unbalanced_item(text: str, end: re.Match[str], *, is_whole_list: bool) -> bool:
    """Whether a name with an open parenthesis ends here all the same: what follows is an item, or nothing."""
    if _AMOUNT_LIKE.fullmatch(end["amount"]) is None:
        return False
    rest = text[end.end() : end.end() + 200]
    return starts_with_item(rest) or (is_whole_list and not rest.strip(" ,"))


def _unreadable_at(text: str, position: int) -> ClaimItem:
    """The stretch that is no item: a word up to its comma, or, with a bracket open, up to where an item ends.

    A torn bracket may have swallowed a neighbour's name; what stands in such a stretch is refused as a whole
    rather than guessed at.
    """
    comma = text.find(",", position)
    end = len(text) if comma < 0 else comma
    if any(mark in text[position:end] for mark in "[("):
        is_closed = text[position:end].rstrip().endswith("]")
        item_end = None if is_closed else _ANY_ITEM_END.search(text, position)
        end = end if is_closed else len(text) if item_end is None else item_end.end()
    return ClaimItem(position, len(text[:end].rstrip()), None, "", position)


def _skip_separators(text: str, position: int) -> int:
    match = _SEPARATORS.match(text, position)
    return position if match is None else match.end()
