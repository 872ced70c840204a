"""Where the benchmarks send to: nginx where it is installed, else the fastest stand-in that Python has."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import server

CONFIGURATION = """
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200; }} }}
}}
"""


@contextlib.contextmanager
def destination() -> Iterator[tuple[str, str]]:
    """A server while the block runs; gives its address and its name."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        with server.running() as url:
            yield url, "a stand-in in Python (nginx is not installed)"
        return
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        configuration = Path(folder, "nginx.conf")
        configuration.write_text(CONFIGURATION.format(folder=folder, port=port))
        with subprocess.Popen([nginx, "-c", str(configuration)], stderr=subprocess.DEVNULL) as process:
            try:
                _wait_for(port)
                yield f"http://127.0.0.1:{port}/v1/track", "nginx, one worker"
            finally:
                process.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("nginx does not answer")
