"""Handing metrics out: into a file for node_exporter's textfile collector, or over HTTP.

What belongs here: file and server. What doesn't: what the metrics are.
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server, write_to_textfile

from orchestration.errors import ConfigurationError, RingfenceError

LOOPBACK = "127.0.0.1"


def check_file(path: Path) -> None:
    """Raise ConfigurationError if node_exporter would never read that file, or its folder isn't there."""
    if path.suffix != ".prom":
        raise ConfigurationError(f"--file {path}: node_exporter reads files that end in .prom only; name it so")
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"--file {path}: there is no folder {path.parent}; make it, or name that of node_exporter's"
            " --collector.textfile.directory"
        )


def write_file(path: Path, registry: CollectorRegistry) -> None:
    """Replace the file by the metrics as they stand now, at once; whoever reads it has the old or the new one whole.

    Everybody may read it, for node_exporter is another user, and it names nobody. Whoever wants it closer closes the
    folder. Raises RingfenceError if it can't be written; the old file is left then, and its age tells.
    """
    mask = os.umask(0o022)
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise RingfenceError(
            f"{path} can't be written: {error.strerror}; give this user the right to write to {path.parent}, or room"
        ) from error
    finally:
        os.umask(mask)


def serve(registry: CollectorRegistry, port: int, bind: str = LOOPBACK) -> tuple[WSGIServer, Thread]:
    """Serve the metrics over HTTP from a thread of its own; return the server and the thread.

    Port 0 takes a free one. Raises ConfigurationError if the address can't be used.
    """
    try:
        return start_http_server(port, bind, registry)
    except OSError as error:
        raise ConfigurationError(
            f"http://{bind}:{port} can't be served: {error.strerror or error}; choose another --port or --bind"
        ) from error
