"""The Bedrock simulator as a process of its own."""

import json
from pathlib import Path

from . import binaries
from .http import request
from .ports import free_port
from .process import Process


class Simulator:
    def __init__(self, folder: Path, settings: dict | None = None, name: str = "simulator"):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        file = folder / f"{name}.json"
        file.write_text(json.dumps(settings or {}))
        self.process = Process(
            [binaries.simulator(), "--listen", f"127.0.0.1:{self.port}", "--settings", str(file)],
            folder / f"{name}.log",
            folder,
        )
        self.process.until_ready(f"{self.url}/stats")

    def control(self, patch: dict) -> None:
        """Changes settings of the running simulator (JSON merge patch)."""
        answer = request("POST", f"{self.url}/control", patch)
        assert answer.status == 200, answer

    def stats(self) -> dict:
        return request("GET", f"{self.url}/stats").json()

    def totals(self) -> dict:
        """Counts over all models."""
        return self.stats()["total"]

    def throttled(self) -> int:
        return sum(self.totals()["throttled"].values())

    def calls_of(self, mark: str) -> list[dict]:
        """The calls whose prompt carried `[[sim id=mark]]`, in order of arrival."""
        calls = request("GET", f"{self.url}/calls?id={mark}").json()
        return calls["calls"] if isinstance(calls, dict) else calls

    def stop(self) -> None:
        self.process.kill()
