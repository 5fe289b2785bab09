"""The proxy's own nginx.conf, run for real before gateways of this machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.deploy.files import NGINX
from tests.deploy.image import become
from tests.deploy.linters import run

PROGRAMS = ("nginx", "/usr/sbin/nginx")


def installed() -> str | None:
    """Where nginx is, if it is here."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Proxy:
    """nginx with the file of the repository, in which only addresses and paths are others."""

    def __init__(self, folder: Path, *, port: int, gateways: Mapping[str, int]) -> None:
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)
        text = NGINX.read_text("utf-8").replace("/tmp/", f"{folder}/")
        text = text.replace("/dev/stdout", str(folder / "access.log"))
        text = text.replace("listen 8080", f"listen 127.0.0.1:{port}")
        for name, own in gateways.items():
            text, count = re.subn(rf"server {name}:3000 ", f"server 127.0.0.1:{own} ", text)
            assert count == 1, name
        self._config = folder / "nginx.conf"
        self._config.write_text(text)
        self._folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def access_log(self) -> str:
        return (self._folder / "access.log").read_text("utf-8")

    def start(self) -> Proxy:
        program = installed()
        assert program is not None
        words = [program, "-e", "stderr", "-p", str(self._folder), "-c", str(self._config)]
        run([*words, "-t"], **become())
        self._process = subprocess.Popen([*words, "-g", "daemon off;"], **become())
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
