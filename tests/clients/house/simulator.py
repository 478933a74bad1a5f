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
            [binaries.simulator(), "--port", str(self.port), "--settings", str(file), "--call-log", "10000"],
            folder / f"{name}.log",
            folder,
        )
        self.process.until_ready(f"{self.url}/healthz")

    def control(self, patch: dict) -> None:
        """Changes settings of the running simulator (JSON merge patch)."""
        answer = request("POST", f"{self.url}/control", patch)
        assert answer.status == 200, answer

    def play(self, script: str) -> None:
        """Puts a script (TOML) in place; its times count from now."""
        answer = request("PUT", f"{self.url}/script", script.encode(), {"content-type": "application/toml"})
        assert answer.status == 200, answer

    def silence(self) -> None:
        """Takes the script away."""
        assert request("DELETE", f"{self.url}/script").status == 200

    def stats(self) -> dict:
        """Counts over all models, and more by priority and model."""
        return request("GET", f"{self.url}/stats").json()

    def throttled(self) -> int:
        return sum(self.stats()["throttled"].values())

    def calls_of(self, mark: str) -> list[dict]:
        """The calls whose prompt carried `[[sim id=mark]]`, in order of arrival."""
        return request("GET", f"{self.url}/calls?id={mark}").json()["calls"]

    def calls(self) -> list[dict]:
        """Every call, in order of arrival."""
        return request("GET", f"{self.url}/calls").json()["calls"]

    def calls_in(self, region: str) -> int:
        """How many calls came for a Region."""
        models = self.stats()["regions"].get(region, {})
        return sum(counts["calls"] for counts in models.values())

    def stop(self) -> None:
        self.process.kill()
