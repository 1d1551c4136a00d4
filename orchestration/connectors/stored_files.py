"""Files that somebody drops somewhere: found by pattern, taken once per content, never while they are being written.

What belongs here: patterns, what was seen before, private copies within bounds, and the interface that folders and
object storage have in common. What doesn't: any storage (``local_files``, ``s3_files``), what the files hold.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from pydantic import AfterValidator

from orchestration.connectors.base import Json, Probe
from orchestration.connectors.errors import AnswerError, EmptyAnswerError, IncompleteError, LimitError
from orchestration.connectors.limits import Limits
from orchestration.landing.discovery import is_temporary

MOST_FILES = 1_000_000
_KEPT_DAYS = 35
_GZIP = b"\x1f\x8b"
_TOKEN = re.compile(
    r"\{date(?::(?P<format>[^{}]*))?\}|(?P<any_folders>\*\*/)|(?P<any>\*\*?)|\?|\[(?P<class>!?[^\]/\[\\^]+)\]|.",
    re.DOTALL,
)
_DATE_PARTS = {"%Y": r"\d{4}", "%m": r"\d{2}", "%d": r"\d{2}"}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as its storage lists it.

    ``key`` is its path below the storage's location, with slashes. ``stamp`` becomes another one whenever the file is
    written again. ``size`` is in bytes, as stored. ``day`` is the one that its name gives, None if it gives none.
    """

    key: str
    stamp: str
    size: int
    day: date | None = None

    @property
    def shown(self) -> str:
        """The key as one line for people."""
        return self.key if self.key.isprintable() else ascii(self.key)


class Storage(ABC):
    """Where files lie. ``place`` is its location in words, without secrets."""

    place: str

    @abstractmethod
    def listed(self, prefix: str, depth: int | None) -> Iterator[StoredFile]:
        """All files whose key begins with ``prefix`` (folders, ending in a slash; or nothing).

        ``depth`` is how many slashes the keys that matter have, None for any number: a hint that spares looking
        deeper. Raises UnreachableError or AnswerError if the list can't be had whole.
        """

    @abstractmethod
    def chunks(self, file: StoredFile) -> Iterator[bytes]:
        """The bytes as stored; raises IncompleteError if the file isn't the one that was listed any more."""

    def touch(self, file: StoredFile) -> None:
        """Read as little of the file as shows that it can be read."""
        next(iter(self.chunks(file)), b"")


class FilePattern:
    """A pattern of keys: ``*``, ``?``, ``[…]`` within a folder, ``**`` over folders, and the day that a file is of.

    The day is ``{date}`` (2026-03-04) or ``{date:…}`` with %Y, %m and %d, once or in parts:
    ``year={date:%Y}/month={date:%m}/day={date:%d}/*.parquet``.
    """

    def __init__(self, text: str) -> None:
        """Raises ValueError if the pattern is none."""
        self.text = text
        if not text or text != text.strip() or any(part in ("", ".", "..") for part in text.split("/")):
            raise ValueError(f"{text!r} is no pattern of files: it is a path below the location, without . and ..")
        self._parts: set[str] = set()
        try:
            self._expression = re.compile("".join(map(self._translated, _TOKEN.finditer(text))), re.DOTALL)
        except re.error as error:
            raise ValueError(f"{text!r} is no pattern of files: {error}") from error
        if self._parts and self._parts != set(_DATE_PARTS):
            raise ValueError(f"{text!r} names no whole day: {{date}} must have year, month and day")
        fixed = re.split(r"[*?\[{]", text, maxsplit=1)[0]
        self.prefix = fixed[: fixed.rfind("/") + 1]
        self.depth = None if "**" in text else text.count("/")

    @property
    def is_dated(self) -> bool:
        """Whether a file's name says which day it is of."""
        return bool(self._parts)

    def _translated(self, match: re.Match[str]) -> str:
        if match["any_folders"]:
            return "(?:[^/]+/)*"
        if match["any"]:
            return "[^/]*" if match["any"] == "*" else ".*"
        if match["class"]:
            return f"(?!/)[{match['class'].replace('!', '^', 1) if match['class'][0] == '!' else match['class']}]"
        if match[0].startswith("{date"):
            return self._date(match["format"] if match["format"] is not None else "%Y-%m-%d")
        if match[0] in "{}[]":
            raise ValueError(f"{self.text!r}: the only thing in braces is {{date}} or {{date:%Y%m%d}}")
        return "[^/]" if match[0] == "?" else re.escape(match[0])

    def _date(self, written: str) -> str:
        pieces = []
        for piece in re.findall(r"%.?|[^%]", written):
            if piece in self._parts:
                pieces.append(f"(?P=part_{piece[1]})")
            elif piece in _DATE_PARTS:
                self._parts.add(piece)
                pieces.append(f"(?P<part_{piece[1]}>{_DATE_PARTS[piece]})")
            elif piece.startswith("%"):
                raise ValueError(f"{self.text!r}: {{date:…}} takes %Y, %m and %d, not {piece}")
            else:
                pieces.append(re.escape(piece))
        return "".join(pieces)

    def matched(self, file: StoredFile) -> StoredFile | None:
        """The file with the day that its name gives, None if the pattern isn't its own or it is a temporary one.

        Raises AnswerError for a name that is of the pattern and gives a day that there isn't, or can't be shown.
        """
        found = self._expression.fullmatch(file.key)
        if found is None or any(is_temporary(part) for part in file.key[len(self.prefix) :].split("/")):
            return None
        if not file.key.isprintable():
            raise AnswerError(f"{file.shown} is a name with characters that can't be shown", "rename it")
        if not self.is_dated:
            return file
        parts = [int(found[f"part_{part}"]) for part in "Ymd"]
        try:
            return StoredFile(file.key, file.stamp, file.size, date(*parts))
        except ValueError as error:
            raise AnswerError(
                f"{file.shown} names a day that there isn't", f"rename it, or mend the pattern {self.text}"
            ) from error

    def found_in(self, storage: Storage, up_to: date | None = None) -> tuple[StoredFile, ...]:
        """The files of the pattern, in order of day and key; those of days after ``up_to`` are left out."""
        found: list[StoredFile] = []
        for number, listed in enumerate(storage.listed(self.prefix, self.depth)):
            if number == MOST_FILES:
                raise LimitError(f"more than {MOST_FILES:,} files lie in {storage.place}", "narrow the pattern")
            file = self.matched(listed)
            if file is not None and (up_to is None or file.day is None or file.day <= up_to):
                found.append(file)
        return tuple(sorted(found, key=lambda file: (file.day or date.min, file.key)))


def _checked(text: str) -> str:
    FilePattern(text)
    return text


PatternText = Annotated[str, AfterValidator(_checked)]
"""A pattern of files in a configuration."""


@dataclass(frozen=True, slots=True)
class ArrivedFile:
    """A private copy of a file, whole and decompressed, at ``path``.

    ``sha256`` is of the bytes as they were stored, ``changes`` tells that another content of this key came before.
    ``due`` is the day that it was left unseen for (``Intake.postpone``); what it holds of days before was taken then.
    """

    file: StoredFile
    path: Path
    sha256: str
    changes: bool = False
    due: date | None = None

    @property
    def name(self) -> str:
        """The key without an ending that says that it is compressed."""
        return re.sub(r"\.(gz|gzip)$", "", self.file.key, flags=re.IGNORECASE)

    def read(self) -> bytes:
        """The content."""
        return self.path.read_bytes()


def copy_of(storage: Storage, file: StoredFile, limits: Limits, path: Path) -> str:
    """Write a file's content, decompressed if it is gzip (whatever its name), to ``path``; return its sha256 as stored.

    Raises IncompleteError if it isn't all there or is being written, LimitError beyond the bounds, AnswerError if its
    compression is damaged.
    """
    limits.check_size(file.size, file.shown)
    digest, received = hashlib.sha256(), 0

    def observed() -> Iterator[bytes]:
        nonlocal received
        for chunk in storage.chunks(file):
            received += len(chunk)
            limits.check_size(received, file.shown)
            digest.update(chunk)
            yield chunk

    with path.open("wb") as target:
        for chunk in _decompressed(observed(), limits, file.shown):
            target.write(chunk)
    if received != file.size:
        raise IncompleteError(
            f"{file.shown} has {file.size} bytes and {received} came", "pull again once it is written whole"
        )
    return digest.hexdigest()


def _decompressed(chunks: Iterator[bytes], limits: Limits, place: str) -> Iterable[bytes]:
    first = b""
    while len(first) < len(_GZIP) and (chunk := next(chunks, None)) is not None:
        first += chunk
    every = chain([first], chunks)
    return limits.gunzip(every, place) if first.startswith(_GZIP) else every


class Intake:
    """One pull's look at the files of a pattern: which are news, and what is seen once they are taken.

    ``seen`` is what the intake of the previous pull gave as ``seen`` (kept in the source's position), None at first. A
    file counts as seen if it has the same stamp or the same content as before. Files of days after ``day`` are left
    alone; files of earlier days that weren't seen are taken now, late as they are.
    """

    def __init__(self, storage: Storage, pattern: FilePattern, limits: Limits, day: date, seen: Json = None) -> None:
        self.storage, self.pattern, self.limits, self.day = storage, pattern, limits, day
        self._recent: dict[str, list[str]] = dict((seen or {}).get("files", {}))
        self._older = set((seen or {}).get("older", "").split())
        self._postponed: dict[str, list[str]] = dict((seen or {}).get("postponed", {}))

    @cached_property
    def files(self) -> tuple[StoredFile, ...]:
        """All files of the pattern up to the day, seen or not."""
        return self.pattern.found_in(self.storage, self.day)

    def require_files(self) -> None:
        """Raise EmptyAnswerError if no file of the day lies there; without days in names, if there is none at all."""
        if not any(file.day in (None, self.day) for file in self.files):
            of_day = f" of {self.day}" if self.pattern.is_dated else ""
            raise EmptyAnswerError(
                f"no file {self.pattern.text}{of_day} lies in {self.storage.place}, which counts as missing",
                "see why it wasn't delivered, or mend the pattern",
            )

    def arrived(self) -> Iterator[ArrivedFile]:
        """Copies of the files that are news, one after the other; each is gone once the next is asked for.

        Errors are those of ``copy_of``. A file that was only touched is seen, and not news.
        """
        with TemporaryDirectory(prefix="ringfence-") as folder:
            path = Path(folder) / "copy"
            for file in self.files:
                before = self._recent.get(file.key)
                if (before is not None and before[0] == file.stamp) or _token(file) in self._older:
                    continue
                if self._is_postponed(file):
                    continue
                sha256 = copy_of(self.storage, file, self.limits, path)
                self._recent[file.key] = [file.stamp, sha256, self.day.isoformat()]
                if before is None or before[1] != sha256:
                    yield ArrivedFile(file, path, sha256, before is not None, self._due(file))

    def postpone(self, arrived: ArrivedFile, day: date) -> None:
        """Leave a file that holds records of later days too unseen, until the pull of ``day`` looks at it again."""
        del self._recent[arrived.file.key]
        self._postponed[arrived.file.key] = [arrived.file.stamp, day.isoformat()]

    def _due(self, file: StoredFile) -> date | None:
        stamp, until = self._postponed.get(file.key, ("", ""))
        return date.fromisoformat(until) if stamp == file.stamp else None

    def _is_postponed(self, file: StoredFile) -> bool:
        due = self._due(file)
        return due is not None and due > self.day

    @property
    def seen(self) -> Json:
        """What has been seen so far, with the file that was yielded last: where a pull that was interrupted goes on.

        What was taken more than a month ago is kept as a short token each.
        """
        oldest = (self.day - timedelta(days=_KEPT_DAYS)).isoformat()
        recent, older = {}, set(self._older)
        for key, (stamp, sha256, day) in sorted(self._recent.items()):
            if day >= oldest:
                recent[key] = [stamp, sha256, day]
            else:
                older.add(_token(StoredFile(key, stamp, 0)))
        waiting = {key: kept for key, kept in sorted(self._postponed.items()) if kept[1] > self.day.isoformat()}
        return {"files": recent, "older": " ".join(sorted(older))} | ({"postponed": waiting} if waiting else {})


def _token(file: StoredFile) -> str:
    digest = hashlib.sha256(f"{file.key}\n{file.stamp}".encode("utf-8", "surrogatepass")).digest()
    return urlsafe_b64encode(digest[:9]).decode()


def look(storage: Storage, pattern: FilePattern, subject: str) -> Probe:
    """Whether files of a pattern are there and the last can be read; raises what listing and reading it raise."""
    found = pattern.found_in(storage)
    if not found:
        return Probe(
            subject, False, f"no file {pattern.text} in {storage.place}; mend the pattern, or wait for the file"
        )
    last = found[-1]
    storage.touch(last)
    return Probe(subject, True, f"{len(found):,} files {pattern.text} in {storage.place}, the last {last.shown}")
