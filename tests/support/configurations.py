"""What configuration files may hold, read from the models that validate them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The models that a field's annotation names, however deep in unions and lists."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)
