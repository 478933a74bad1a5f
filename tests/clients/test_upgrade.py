"""A server that starts on what an earlier schema has written goes on with it, and leaves a whole directory."""

import sqlite3
import subprocess
from pathlib import Path

from house import binaries, models
from house.process import clean_env

# Six requests of the lane "sonnet": queued, released, running, completed, failed, cancelled.
FIRST = Path(__file__).resolve().parents[2] / "embedded/tests/store/upgrade/schema-1.sql"


def version(data: Path) -> int:
    with sqlite3.connect(data / "smoother.db") as database:
        return database.execute("PRAGMA user_version").fetchone()[0]


def test_what_the_first_schema_holds_goes_on(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes={"sonnet": {}}, start=False)
    smoother.data_dir.mkdir(parents=True)
    database = sqlite3.connect(smoother.data_dir / "smoother.db")
    database.executescript(FIRST.read_text())
    database.close()
    assert version(smoother.data_dir) == 1
    smoother.start()
    # Queued, released and running ones are called; nothing that was over is.
    smoother.until(lambda: simulator.stats()["calls"] == 3, "the calls of what was open")
    smoother.until(lambda: not smoother.get("/v1/lanes/sonnet").json()["running"], "their ends")
    job = smoother.submit("New. [[sim out=2]]").json()
    assert smoother.until_ended(job["id"])["status"] == "COMPLETED"
    assert simulator.stats()["calls"] == 4
    assert smoother.stop() == 0, smoother.process.output()
    assert version(smoother.data_dir) > 1
    command = [binaries.smoother(), "verify", "--data-dir", str(smoother.data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_env())
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_crash_in_the_middle_of_an_upgrade_is_gone_over_again(new_simulator, new_smoother):
    """Killed as early as a process can be, and again, and again: the next start makes it whole."""
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes={"sonnet": {"models": [models.CLAUDE]}}, start=False)
    smoother.data_dir.mkdir(parents=True)
    database = sqlite3.connect(smoother.data_dir / "smoother.db")
    database.executescript(FIRST.read_text())
    database.close()
    for _ in range(5):
        smoother.start(ready=False)
        smoother.until(lambda: any(smoother.data_dir.glob("smoother.db-wal")), "the log's file")
        smoother.kill()
    smoother.start()
    job = smoother.submit("New. [[sim out=2]]").json()
    assert smoother.until_ended(job["id"])["status"] == "COMPLETED"
    assert smoother.stop() == 0, smoother.process.output()
