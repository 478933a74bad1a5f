"""MiniStack as a process of its own."""

import json
import os
import queue
import signal
import subprocess
import threading
from collections import Counter
from pathlib import Path

from house.http import request
from house.ports import free_port
from house.process import clean_env

from .binaries import ROOT

MAIN = Path(__file__).with_name("ministack_main.py")
PYTHON = ROOT / ".venv-aws" / "bin" / "python"


class Emulator:
    """AWS on a free loopback port; its output goes to a log file."""

    def __init__(self, folder: Path, auth: bool = False):
        self.log = folder / "ministack.log"
        arguments = [str(PYTHON), str(MAIN), "--port", str(free_port()), *(["--auth"] if auth else [])]
        with open(self.log, "ab") as log:
            self._child = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env=clean_env(PYTHONUNBUFFERED="1"),
                # Functions are its children: they are ended with it, as one group.
                start_new_session=True,
            )
        first = self._first_line(seconds=60)
        self.url: str = first["url"]
        self._counts: str = first["counts"]

    @property
    def pid(self) -> int:
        return self._child.pid

    def _first_line(self, seconds: float) -> dict:
        lines: queue.Queue[bytes] = queue.Queue()

        def read() -> None:
            with open(self.log, "ab") as log:
                for line in self._child.stdout:
                    log.write(line)
                    log.flush()
                    lines.put(line)
            lines.put(b"")

        threading.Thread(target=read, daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=seconds)
            except queue.Empty:
                self.stop()
                raise TimeoutError(f"MiniStack did not listen within {seconds} s:\n{self.output()}") from None
            if not line:
                raise RuntimeError(f"MiniStack ended with {self._child.wait()}:\n{self.output()}")
            if line.startswith(b'{"url"'):
                return json.loads(line)

    def counts(self) -> Counter[str]:
        """How often the functions made which call so far, by service and operation."""
        return Counter(request("GET", self._counts).json())

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self) -> None:
        """Has it end, its functions too, and waits for it."""
        self._child.stdin.close()
        try:
            self._child.wait(timeout=15)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self._child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._child.wait()
