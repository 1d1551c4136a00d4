"""Starting the explorer's server: on this machine alone, reading one warehouse, telling nobody.

What belongs here: the server and its settings. What doesn't: pages.
"""

from __future__ import annotations

import socket
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from orchestration.errors import ConfigurationError
from orchestration.reading.published import require_published
from orchestration.settings import WarehousePaths

ADDRESS = "127.0.0.1"
_APP = Path(__file__).parent / "app.py"

_SETTINGS: dict[str, Any] = {
    # Nobody else: neither another machine, nor another site through the browser, nor a name that leads here.
    "server.address": ADDRESS,
    "server.allowedHosts": [ADDRESS, "localhost"],
    "server.enableCORS": True,
    "server.enableXsrfProtection": True,
    "server.corsAllowedOrigins": [],
    "server.xsrfCookieSameSite": "strict",
    "server.enableAgentApi": False,
    "server.enableStaticServing": False,
    "browser.serverAddress": ADDRESS,
    # Nothing goes out.
    "browser.gatherUsageStats": False,
    "server.showEmailPrompt": False,
    "client.showErrorLinks": False,
    # A page for readers: no tools of developers, and no CSV but ours, which no spreadsheet takes for formulas.
    "client.toolbarMode": "minimal",
    "client.disableDataExport": True,
    "client.showErrorDetails": "none",
    "server.fileWatcherType": "none",
    "server.runOnSave": False,
    "global.developmentMode": False,
    "logger.hideWelcomeMessage": True,
    "logger.level": "error",
}


def require_streamlit() -> None:
    """Raise ConfigurationError, with the remedy, if the explorer's library isn't installed."""
    if find_spec("streamlit") is None:
        raise ConfigurationError(
            "the explorer needs Streamlit, which isn't installed; pip install 'ringfence[explore]'"
        )


def free_port(wanted: int) -> int:
    """The port to listen on, any free one for 0. Raises ConfigurationError if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, wanted))
        except OSError as error:
            raise ConfigurationError(
                f"port {wanted} of {ADDRESS} can't be had ({error.strerror}); give another with --port, or 0 for any"
            ) from error
        return int(probe.getsockname()[1])


def serve(paths: WarehousePaths, port: int, *, opens_browser: bool) -> None:
    """Serve the pages until the process is ended.

    Raises ConfigurationError if nothing was published, the port is taken or Streamlit isn't installed.
    """
    require_streamlit()
    require_published(paths)
    settings = {**_SETTINGS, "server.port": free_port(port)}
    if not opens_browser:
        settings["server.headless"] = True
    from streamlit.web import bootstrap

    from orchestration.explore.publication import serve_from

    publication = serve_from(paths)
    with publication.reading():
        pass  # what can't be opened is told now, and not on a page
    print(f"serving http://{ADDRESS}:{settings['server.port']} until Ctrl-C", flush=True)  # before the browser opens
    bootstrap.load_config_options(settings)
    bootstrap.run(str(_APP), False, [], settings)
