"""Writing the documentation of a published warehouse to a file.

What belongs here: reading the published file and the parsed project, and where the page goes. What doesn't: what it
shows. No run is waited for and none waits: the build file isn't opened.
"""

from __future__ import annotations

from pathlib import Path

from orchestration.documentation.artefacts import beginning, shown_catalog, shown_manifest
from orchestration.documentation.overview import overview
from orchestration.documentation.page import filled_page
from orchestration.errors import ConfigurationError
from orchestration.headlines.definitions import headlines
from orchestration.reading.published import published_connection
from orchestration.settings import WarehousePaths
from orchestration.warehouse.compiled import compiled_project
from orchestration.warehouse.dbt import manifest_as_json


def write_documentation(paths: WarehousePaths, out: Path) -> None:
    """Write the page to ``out``. Raises ConfigurationError if nothing was published, or there is no such place."""
    with published_connection(paths) as connection:
        manifest = shown_manifest(manifest_as_json(), compiled_project())
        manifest["docs"] = beginning(overview(manifest, headlines().values()))
        page = filled_page(manifest, shown_catalog(manifest, connection))
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{out} can't be written: {error.strerror}; choose another place with --out"
        ) from error
