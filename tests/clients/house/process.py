"""A child process that is started, waited for, and always ended by its own pid."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

# Dummy credentials and a Region, as a user's environment has them; nothing of this machine's own AWS set-up.
AWS_ENV = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def clean_env(**extra: str) -> dict[str, str]:
    """The environment without what would steer an AWS SDK or the smoother, and with AWS_ENV."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "SMOOTHER"))}
    return {**kept, **AWS_ENV, **extra}


class Process:
    """A server; its output goes to a log file that a failing test shows."""

    def __init__(self, arguments: list[str], log: Path, cwd: Path, env: dict[str, str] | None = None):
        self.log = log
        self._out = open(log, "ab")
        self._child = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env or clean_env(),
        )

    @property
    def pid(self) -> int:
        return self._child.pid

    def running(self) -> bool:
        return self._child.poll() is None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def until_ready(self, url: str, seconds: float = 20) -> None:
        """Waits until `url` answers 2xx; raises with the log when the process ends or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.running():
                raise RuntimeError(f"ended with {self._child.returncode} before it was ready:\n{self.output()}")
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        raise TimeoutError(f"{url} was not ready within {seconds} s:\n{self.output()}")

    def signal(self, number: int) -> None:
        self._child.send_signal(number)

    def wait(self, seconds: float = 20) -> int:
        """The exit code."""
        return self._child.wait(timeout=seconds)

    def stop(self, seconds: float = 20) -> int:
        """SIGTERM, and the exit code."""
        if self.running():
            self.signal(signal.SIGTERM)
        code = self.wait(seconds)
        self._out.close()
        return code

    def kill(self) -> None:
        """SIGKILL: a crash, or a process that a failed test left behind."""
        if self.running():
            self._child.kill()
        self._child.wait()
        self._out.close()
