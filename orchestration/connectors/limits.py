"""Bounds for what comes from outside: size, nesting, and how much a compressed byte may turn into.

What belongs here: the bounds and reading within them. What doesn't: where the bytes come from.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from orchestration.connectors.errors import AnswerError, LimitError

_CHUNK = 1 << 16
_MOVES = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[{]|[\]}]')
_HINT = "if that is honest, raise {setting} of this source"


class Limits(BaseModel):
    """Bounds of one answer or file. Beyond any of them reading stops, and nothing of the pull lands."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_megabytes: int = Field(256, ge=1, le=1_000_000)
    max_nesting: int = Field(64, ge=1, le=500)
    max_decompression_ratio: int = Field(200, ge=1, le=100_000)

    @property
    def max_bytes(self) -> int:
        """The size bound in bytes, after decompression."""
        return self.max_megabytes * 1_000_000

    def check_size(self, received: int, place: str) -> None:
        """Raise LimitError if so many bytes are too many."""
        if received > self.max_bytes:
            raise LimitError(
                f"{place} is larger than {self.max_megabytes} MB", _HINT.format(setting="limits.max_megabytes")
            )

    def check_ratio(self, compressed: int, decompressed: int, place: str) -> None:
        """Raise LimitError if compressed bytes became so many that they were made to. Small ones can't do harm."""
        if decompressed > 1_000_000 and decompressed > compressed * self.max_decompression_ratio:
            raise LimitError(
                f"{place} decompresses to more than {self.max_decompression_ratio} times its size",
                _HINT.format(setting="limits.max_decompression_ratio"),
            )

    def gather(self, chunks: Iterable[bytes], place: str) -> bytes:
        """Join chunks, no more of them than the bound allows."""
        parts, received = [], 0
        for chunk in chunks:
            received += len(chunk)
            self.check_size(received, place)
            parts.append(chunk)
        return b"".join(parts)

    def gunzip(self, chunks: Iterable[bytes], place: str) -> Iterator[bytes]:
        """Decompress gzip in steps, within the bounds of size and ratio; raise AnswerError if it is cut or damaged."""
        decoder, compressed, decompressed = zlib.decompressobj(wbits=31), 0, 0
        try:
            for chunk in chunks:
                compressed += len(chunk)
                waiting = chunk
                while waiting:
                    if decoder.eof:  # the next member of a file that was appended to
                        decoder = zlib.decompressobj(wbits=31)
                    part = decoder.decompress(waiting, _CHUNK)
                    decompressed += len(part)
                    self.check_size(decompressed, place)
                    self.check_ratio(compressed, decompressed, place)
                    if part:
                        yield part
                    waiting = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            yield decoder.flush()
        except zlib.error as error:
            raise AnswerError(f"{place} is no gzip or is damaged ({error})", "deliver it again") from error
        if not decoder.eof:
            raise AnswerError(f"{place} is a gzip file that was cut off", "deliver it again")

    def read_json(self, text: str | bytes, place: str, *, numbers_as_text: bool = False) -> Any:
        """Parse JSON with numbers exact: fractions become Decimal, never a binary float; or all stay as written.

        Raises LimitError for too much nesting and AnswerError for what is no JSON, or a number that is none.
        """
        try:
            written = text.decode("utf-8") if isinstance(text, bytes) else text
        except UnicodeDecodeError as error:
            raise AnswerError(f"{place} is not UTF-8 text", "see what answers at that address") from error
        self.check_nesting(written, place)
        try:
            return json_value(written, numbers_as_text=numbers_as_text)
        except (ValueError, RecursionError) as error:
            shown = " ".join(written[:120].split())
            raise AnswerError(f"{place} is no JSON ({shown!r})", "see what answers at that address") from error

    def check_nesting(self, text: str, place: str) -> None:
        """Raise LimitError if brackets outside of strings are nested deeper than the bound."""
        depth = 0
        for move in _MOVES.finditer(text):
            sign = text[move.start()]
            depth += (sign in "[{") - (sign in "]}")
            if depth > self.max_nesting:
                raise LimitError(
                    f"{place} is nested deeper than {self.max_nesting} levels",
                    _HINT.format(setting="limits.max_nesting"),
                )


def json_value(text: str, *, numbers_as_text: bool = False) -> Any:
    """Parse JSON with exact numbers, or with numbers left as they are written.

    Raises ValueError for what is no JSON, NaN and infinity included.
    """
    import json

    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is no number")

    if numbers_as_text:
        return json.loads(text, parse_float=str, parse_int=str, parse_constant=refuse)
    return json.loads(text, parse_float=Decimal, parse_constant=refuse)
