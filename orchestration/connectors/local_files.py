"""Files in a folder of this machine, or one that is mounted on it.

What belongs here: walking folders, and reading a file without missing that it is being written. What doesn't: patterns
and what was seen before (``stored_files``).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from orchestration.connectors.errors import AnswerError, IncompleteError, LimitError, UnreachableError
from orchestration.connectors.stored_files import Storage, StoredFile
from orchestration.landing.discovery import leads_out

_CHUNK = 1 << 20
_DEEPEST = 32


class LocalFolder(Storage):
    """A folder; its regular files, also those behind links."""

    def __init__(self, root: Path) -> None:
        self.root, self.place = root, str(root)

    def listed(self, prefix: str, depth: int | None) -> Iterator[StoredFile]:
        """All files below a folder of the root. Raises UnreachableError if one of the folders can't be read.

        The root must be there. A folder of ``prefix`` that isn't there holds no files.
        """
        if not self.root.is_dir():
            raise UnreachableError(f"folder {self.root} isn't there", "mend its path, or mount it")
        folder = self.root / prefix
        if folder.is_dir():
            yield from self._below(folder, prefix, depth)

    def _below(self, folder: Path, prefix: str, depth: int | None) -> Iterator[StoredFile]:
        try:
            with os.scandir(folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
            for entry in entries:
                key = f"{prefix}{entry.name}"
                if entry.is_symlink() and leads_out(Path(entry.path), self.root):
                    raise AnswerError(f"{key} is a link that leads out of {self.root}, or nowhere", "deliver the file")
                if entry.is_dir():
                    if key.count("/") >= _DEEPEST:
                        raise LimitError(f"{key} is nested deeper than {_DEEPEST} folders", "remove the circular link")
                    if depth is None or key.count("/") < depth:
                        yield from self._below(Path(entry.path), f"{key}/", depth)
                elif entry.is_file():
                    yield StoredFile(key, *_stamp(entry.stat()))
        except OSError as error:
            raise UnreachableError(f"{folder} can't be read: {error.strerror}", "give this user the right") from error

    def chunks(self, file: StoredFile) -> Iterator[bytes]:
        """The bytes; raises IncompleteError if the file changes meanwhile, UnreachableError if it can't be read."""
        path = self.root / file.key
        try:
            with path.open("rb") as stream:
                self._require_unchanged(file, os.fstat(stream.fileno()))
                left = file.size
                while chunk := stream.read(min(_CHUNK, left)):  # what is appended meanwhile is never reached
                    left -= len(chunk)
                    yield chunk
                self._require_unchanged(file, os.fstat(stream.fileno()))
        except FileNotFoundError as error:
            raise IncompleteError(f"{file.shown} is gone since it was listed", "pull again") from error
        except OSError as error:
            raise UnreachableError(f"{path} can't be read: {error.strerror}", "give this user the right") from error

    def _require_unchanged(self, file: StoredFile, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode) or _stamp(status) != (file.stamp, file.size):
            raise IncompleteError(f"{file.shown} is being written", "pull again once it is written whole")


def _stamp(status: os.stat_result) -> tuple[str, int]:
    return f"{status.st_size}.{status.st_mtime_ns}", status.st_size
