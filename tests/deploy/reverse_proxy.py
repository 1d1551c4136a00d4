"""nginx as ``orchestration/deploy/nginx.conf`` sets it up, with this machine's ports and a new certificate."""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.production import DEPLOY, wait_for
from tests.support.outside import free_port, program

USER, PASSWORD = "alice", "correct horse"

_MAIN = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/ringfence.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """Where it answers, and how its certificate is trusted."""

    port: int
    trust: ssl.SSLContext
    log_in: str = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def answer(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        """Status and text of the answer to a request."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", body, named)
        try:
            with urllib.request.urlopen(request, context=self.trust, timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


def _run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _certificate(folder: Path) -> None:
    openssl = program("openssl", "openssl")
    names = "subjectAltName=DNS:ringfence.example.org,IP:127.0.0.1"
    made = ("-keyout", folder / "ringfence.key", "-out", folder / "ringfence.crt")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    _run(openssl, "req", "-x509", *key, *made, "-days", "2", "-subj", "/CN=ringfence", "-addext", names)
    hashed = _run(openssl, "passwd", "-6", PASSWORD)
    (folder / "ringfence.htpasswd").write_text(f"{USER}:{hashed}", encoding="utf-8")


@contextmanager
def reverse_proxy(folder: Path, webserver_port: int) -> Iterator[Proxy]:
    """nginx in front of the web server, until the end of the block."""
    nginx = program("nginx", "nginx-light")
    folder.mkdir()
    _certificate(folder)
    port = free_port()
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    for written, here in {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "server 127.0.0.1:3000;": f"server 127.0.0.1:{webserver_port};",
        "/etc/nginx/": f"{folder}/",
    }.items():
        # In the comments they may stand too.
        assert written in text
        text = text.replace(written, here)
    (folder / "ringfence.conf").write_text(text, encoding="utf-8")
    main = folder / "nginx.conf"
    main.write_text(("user root;" if os.geteuid() == 0 else "") + _MAIN.format(folder=folder), encoding="utf-8")
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen([nginx, "-p", folder, "-c", main], stdout=output, stderr=output)
    try:
        proxy = Proxy(port, ssl.create_default_context(cafile=str(folder / "ringfence.crt")))
        wait_for("nginx", lambda: _answers(proxy, process))
        yield proxy
    finally:
        process.terminate()
        process.wait(timeout=60)


def _answers(proxy: Proxy, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "nginx has ended"
    try:
        return proxy.answer("/")[0] > 0
    except OSError:
        return False
