"""The smoother's own command against the deployment."""

import subprocess
from pathlib import Path

from house import binaries
from house.deployed import Door
from house.process import clean_env

from .town import Town

OK, NOT_FOUND, REFUSED = 0, 3, 4


class Command:
    """`smoother --target aws:…`, in a folder of its own."""

    def __init__(self, town: Town, folder: Path):
        self._folder = folder
        name = town.deployment.context["name"]
        self._target = f"aws:{name}"
        # The emulator names the function's URL as AWS would, and serves it at an address of its own.
        self._door = Door(name, "", elsewhere=town.http_url)

    def __call__(self, *arguments: str, code: int = OK) -> str:
        """Runs it, and gives what it printed."""
        done = subprocess.run(
            [binaries.smoother(), "--target", self._target, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self._folder,
            env=clean_env(AWS_ENDPOINT_URL=self._door.url),
        )
        assert done.returncode == code, done.stderr
        return done.stdout

    def close(self) -> None:
        self._door.close()
