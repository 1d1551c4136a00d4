"""The one validated file that says which sources there are: YAML, without a secret in it.

What belongs here: reading and refusing. What doesn't: what the keys of a kind mean (its connector's configuration).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from orchestration.connectors.base import Connector, Services, SourceConfiguration
from orchestration.connectors.kinds import Kind, kinds_by_name
from orchestration.errors import ConfigurationError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Source:
    """One configured source: its name, which files and manifests bear too, its kind and its settings."""

    name: str
    kind: Kind
    configuration: SourceConfiguration

    def connector(self, services: Services) -> Connector:
        """The client that pulls it."""
        return self.kind.load()(self.name, self.configuration, services)


def load_sources(path: Path) -> tuple[Source, ...]:
    """Read the configuration file; sources come in the order of the file.

    Raises ConfigurationError, naming the file, the source, the key and the remedy.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeys)  # noqa: S506 (a safe loader's child)
    except OSError as error:
        raise ConfigurationError(f"sources file {path} can't be read: {error.strerror}; name another") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"sources file {path} is no YAML: {' '.join(str(error).split())}") from error
    sections = content.get("sources") if isinstance(content, dict) else None
    if not isinstance(sections, dict) or not sections or set(content) != {"sources"}:
        raise ConfigurationError(
            f"sources file {path}: it must have one key, sources, with a name for each source below"
        )
    return tuple(_source(path, str(name), section) for name, section in sections.items())


def _source(path: Path, name: str, section: Any) -> Source:
    place = f"sources file {path}: {name}"
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{place}: a source's name is lower case letters, digits and _, at most 40; rename it")
    if not isinstance(section, dict) or not isinstance(section.get("kind"), str):
        raise ConfigurationError(f"{place}: say its kind, one of {', '.join(kinds_by_name())}")
    kind = kinds_by_name().get(section["kind"])
    if kind is None:
        near = get_close_matches(section["kind"], kinds_by_name(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(kinds_by_name())}"
        raise ConfigurationError(f"{place}: no kind is named {section['kind']!r}; {hint}")
    try:
        return Source(name, kind, kind.load().configuration_class.model_validate(section))
    except ValidationError as error:
        raise ConfigurationError(f"{place}: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """The first thing wrong: key, what is wrong, what to do. Values aren't shown: one might be a secret."""
    first, number = error.errors(include_input=False, include_url=False)[0], error.error_count()
    key = ".".join(str(part) for part in first["loc"]) or "the section"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "no such key; see the example configuration"
    elif first["type"] == "missing":
        message = "is missing; add it"
    more = f" (and {number - 1} more)" if number > 1 else ""
    return f"{key}: {message[:1].lower()}{message[1:]}{more}"


class UniqueKeys(yaml.SafeLoader):
    """YAML in which the same key twice is an error and no, off and dates are text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping; raise an error that names the line if a key stands twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if repeated := [key for number, key in enumerate(keys) if key in keys[:number]]:
            raise yaml.constructor.ConstructorError(None, None, f"{repeated[0]} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)
