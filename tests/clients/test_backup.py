"""`smoother backup` beside a running server, `smoother verify`, and a start on the copy."""

import json
import shutil
import subprocess
import threading

from house import binaries
from house.process import clean_env

NARROW = {"narrow": {"max_concurrency": 1}}


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [binaries.smoother(), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=clean_env())


def verified(data_dir) -> tuple[int, dict]:
    done = run("verify", "--json", "--data-dir", str(data_dir))
    return done.returncode, json.loads(done.stdout or "{}")


def test_a_backup_under_load_starts_with_everything_acknowledged_before_it(new_simulator, new_smoother, tmp_path):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=NARROW)
    accepted, stop = [], threading.Event()

    def submit() -> None:
        number = 0
        while not stop.is_set():
            padding = "y" * (90_000 if number % 5 == 0 else 500)
            accepted.append(smoother.submit(f"Job {number}. [[sim out=2 latency_ms=20]] {padding}").json()["id"])
            number += 1

    loader = threading.Thread(target=submit)
    loader.start()
    try:
        smoother.until(lambda: len(accepted) >= 40, "forty jobs")
        before = list(accepted)
        copied = run("backup", "--config", str(smoother.config), "--to", str(tmp_path / "copy"))
        assert copied.returncode == 0, copied.stderr + copied.stdout
        assert "sound" in copied.stdout
    finally:
        stop.set()
        loader.join(30)
    busy = run("verify", "--data-dir", str(smoother.data_dir))
    assert busy.returncode == 4 and "in use" in busy.stderr, busy.stderr
    smoother.kill()

    code, report = verified(tmp_path / "copy")
    assert (code, report["sound"]) == (0, True), report
    assert report["requests"] >= len(before)
    shutil.rmtree(smoother.data_dir)
    shutil.copytree(tmp_path / "copy", smoother.data_dir)
    smoother.start()
    for job in before:
        assert smoother.until_ended(job)["status"] == "COMPLETED"


def test_verify_tells_what_is_wrong_and_a_start_refuses_it(new_simulator, new_smoother):
    smoother = new_smoother(new_simulator().url)
    jobs = [smoother.submit(f"Job {number}. [[sim out=2]]").json()["id"] for number in range(20)]
    for job in jobs:
        smoother.until_ended(job)
    smoother.kill()
    code, report = verified(smoother.data_dir)
    assert code == 0 and report["requests"] == 20, report

    log = smoother.data_dir / "smoother.db-wal"
    whole = log.read_bytes()
    log.write_bytes(whole[:5_000] + bytes([whole[5_000] ^ 1]) + whole[5_001:])
    code, report = verified(smoother.data_dir)
    assert code == 8 and "smoother.db-wal" in report["damage"][0], report
    done = run("serve", "--config", str(smoother.config))
    assert done.returncode == 1
    assert "smoother.db-wal is damaged" in done.stderr and "restore it from a backup" in done.stderr, done.stderr

    log.write_bytes(whole)
    smoother.start()
    assert all(smoother.job(job)["status"] == "COMPLETED" for job in jobs)
    nothing = run("verify", "--data-dir", str(smoother.folder / "elsewhere"))
    assert nothing.returncode == 3 and "elsewhere" in nothing.stderr
    taken = run("backup", "--data-dir", str(smoother.data_dir), "--to", str(smoother.folder))
    assert taken.returncode == 4 and "not empty" in taken.stderr
