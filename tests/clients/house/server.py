"""The smoother as a process of its own, its lanes pointed at a simulator."""

import time
from pathlib import Path

from . import binaries, models
from .http import Answer, request
from .ports import free_port
from .process import Process, clean_env

# Roomy enough that nothing waits where a test is not about waiting.
ROOMY = {"tokens_per_minute": 1_000_000_000, "max_concurrency": 256}


def toml_value(value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return str(value) if isinstance(value, (int, float)) else '"' + str(value).replace('"', '\\"') + '"'


def toml_table(name: str, values: dict) -> str:
    lines = [f"{key} = {toml_value(value)}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines, ""])


class Smoother:
    """`smoother serve` in `folder`, listening on a free port.

    `lanes` maps a name to the keys that differ from one roomy lane for every model of the tests; `server`
    are keys of `[server]`. Stopped servers can be started again on the same port and data.
    """

    def __init__(
        self,
        folder: Path,
        endpoint: str,
        lanes: dict[str, dict] | None = None,
        server: dict | None = None,
        extra: str = "",
        start: bool = True,
    ):
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = folder / "data"
        self.config = folder / "smoother.toml"
        tables = [
            toml_table(
                "server",
                {"listen": f"127.0.0.1:{self.port}", "data_dir": str(self.data_dir), **(server or {})},
            )
        ]
        for name, keys in (lanes or {"everything": {}}).items():
            defaults = {
                "models": models.ALL,
                "region": "us-east-1",
                "endpoint": endpoint,
                "output_burndown": 5,
                "max_output_tokens": 64_000,
            }
            tables.append(toml_table(f"lanes.{name}", {**defaults, **ROOMY, **keys}))
        self.config.write_text("\n".join([*tables, extra]))
        self.process: Process | None = None
        self._starts = 0
        if start:
            self.start()

    def start(self, ready: bool = True, env: dict[str, str] | None = None) -> None:
        self._starts += 1
        self.process = Process(
            [binaries.smoother(), "serve", "--config", str(self.config)],
            self.folder / f"smoother-{self._starts}.log",
            self.folder,
            env or clean_env(),
        )
        if ready:
            self.process.until_ready(f"{self.url}/readyz")

    def stop(self, seconds: float = 30) -> int:
        return self.process.stop(seconds)

    def kill(self) -> None:
        if self.process:
            self.process.kill()

    def get(self, path: str, **options) -> Answer:
        return request("GET", self.url + path, **options)

    def post(self, path: str, body=None, headers: dict[str, str] | None = None, **options) -> Answer:
        return request("POST", self.url + path, body, headers, **options)

    def delete(self, path: str) -> Answer:
        return request("DELETE", self.url + path)

    def converse(self, prompt: str, model: str = models.CLAUDE, headers: dict[str, str] | None = None, **options):
        """Converse without an SDK."""
        return self.post(f"/model/{model}/converse", models.converse_body(prompt), headers, **options)

    def submit(self, prompt: str, headers: dict[str, str] | None = None, **fields) -> Answer:
        """`POST /v1/jobs` with a Converse body."""
        job = {"model": models.CLAUDE, "operation": "converse", "body": models.converse_body(prompt), **fields}
        return self.post("/v1/jobs", job, headers)

    def job(self, job_id: str) -> dict:
        return self.get(f"/v1/jobs/{job_id}").json()

    def until_ended(self, job_id: str, seconds: float = 30) -> dict:
        """The job once it is in a terminal state."""
        return self.until(
            lambda: (job := self.job(job_id))["status"] in TERMINAL and job, f"job {job_id} to end", seconds
        )

    def until(self, condition, what: str, seconds: float = 30):
        """Polls `condition` until it gives something true, and returns that."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := condition():
                return found
            time.sleep(0.02)
        raise TimeoutError(f"waited {seconds} s for {what}\n{self.process.output()[-4000:]}")


TERMINAL = ("COMPLETED", "FAILED", "CANCELLED", "EXPIRED")
