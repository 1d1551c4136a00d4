"""Which environment variables the files of sources and alerts name: those that hold secrets.

What belongs here: finding names. What doesn't: values.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from orchestration.connectors.secrets import placeholders
from orchestration.settings import Settings


def named_variables(settings: Settings) -> dict[str, list[str]]:
    """Names by the place that names them: a source, a route, or another key of a file. Files that can't be read: none.

    As everywhere in these files a name stands under a key that ends in ``_variable``, or as ``${NAME}`` in a text.
    """
    named: dict[str, list[str]] = {}
    for path, parts, word in ((settings.sources_file, "sources", "source"), (settings.alerts_file, "routes", "route")):
        content = _content(path)
        several = content.pop(parts, None)
        for name, section in several.items() if isinstance(several, dict) else ():
            named[f"{word} {name}"] = list(dict.fromkeys(_names(section)))
        for key, section in content.items():
            named[f"{path.name if path else ''}: {key}"] = list(dict.fromkeys(_names({key: section})))
    return {place: names for place, names in named.items() if names}


def hash_key_variable(settings: Settings) -> str | None:
    """Name of the variable with the key that identifiers are hashed with."""
    name = _content(settings.alerts_file).get("hash_key_variable")
    return name if isinstance(name, str) else None


def _content(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return dict(content) if isinstance(content, dict) else {}


def _names(section: Any, key: str = "") -> Iterator[str]:
    if isinstance(section, dict):
        for name, value in section.items():
            yield from _names(value, str(name))
    elif isinstance(section, list):
        for value in section:
            yield from _names(value, key)
    elif isinstance(section, str):
        yield from placeholders(section)
        if key.endswith("_variable"):
            yield section


def addresses(settings: Settings) -> list[str]:
    """Addresses of HTTP servers that the files name, each once, with ``${NAME}`` as they stand there.

    An address that is a variable as a whole is among them: only its value says whether it is one.
    """
    contents = [_content(path) for path in (settings.sources_file, settings.alerts_file)]
    texts = [text for content in contents for text in _texts(content)]
    return list(dict.fromkeys(text for text in texts if text.startswith(("http://", "https://", "${"))))


def _texts(section: Any) -> Iterator[str]:
    if isinstance(section, dict):
        for value in section.values():
            yield from _texts(value)
    elif isinstance(section, list):
        for value in section:
            yield from _texts(value)
    elif isinstance(section, str):
        yield section
