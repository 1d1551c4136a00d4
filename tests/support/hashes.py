"""Values as errors quote them: by a hash whose key each process makes anew, so that tests' names can't hold it."""

from __future__ import annotations

import re

from orchestration.keyed_hashes import process_hashing


def with_hashes(text: str) -> str:
    """The text with each ``<value>`` as it is quoted."""
    return re.sub("<(.*?)>", lambda value: f"#{process_hashing().of(value[1])}", text)
