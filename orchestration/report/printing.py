"""The page printed to PDF by a Chromium that is installed: there is one print style, the page's.

What belongs here: finding the browser and starting it so that it can reach nothing. What doesn't: the page.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestration.errors import ConfigurationError, RingfenceError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
"""Programs that print alike, in the order in which they are looked for."""

_TIMEOUT_SECONDS = 180


class PrintingError(RingfenceError):
    """The browser didn't print the page."""


def found_browser() -> str:
    """The browser to print with. Raises ConfigurationError, which names the remedy, if there is none."""
    for name in BROWSERS:
        if program := shutil.which(name):
            return program
    raise ConfigurationError(
        "a PDF needs Chromium, and there is none on PATH; install it (Debian: apt-get install chromium) or write the"
        " page with --format html and print it with any browser"
    )


def printed(page: str) -> bytes:
    """The page as PDF. Raises ConfigurationError without a browser, PrintingError if it fails."""
    browser = found_browser()
    with TemporaryDirectory(prefix="ringfence-report-") as folder:
        source, target = Path(folder, "report.html"), Path(folder, "report.pdf")
        source.write_text(page, encoding="utf-8")
        command = [browser, *_arguments(Path(folder, "profile")), f"--print-to-pdf={target}", source.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT_SECONDS)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PrintingError(f"{browser} didn't print the report: {error}") from error
        if not target.exists():
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise PrintingError(f"{browser} didn't print the report (exit status {done.returncode}): {''.join(last)}")
        return target.read_bytes()


def _arguments(profile: Path) -> list[str]:
    """How the browser runs: without a window, a profile of anybody's, or a way out of this machine."""
    arguments = [
        "--headless",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-extensions",
        "--disable-sync",
        "--no-first-run",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--no-pdf-header-footer",
        "--generate-pdf-document-outline",
        f"--user-data-dir={profile}",
    ]
    # Chromium's sandbox doesn't start for root. The page is our own, and its policy lets it run nothing.
    return [*arguments, "--no-sandbox"] if os.geteuid() == 0 else arguments
