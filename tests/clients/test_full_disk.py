"""A data directory on a real file system that is filled to the brim."""

import subprocess
import threading

import pytest

from house import binaries
from house.process import clean_env

BODY = 60_000


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 64 MB, or a skip that says why there is none."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except FileNotFoundError as error:
        pytest.skip(f"no tmpfs can be mounted here: {error}")
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True, timeout=30)


def fill(place) -> None:
    """Takes every byte that is left."""
    with open(place / "filler", "ab", buffering=0) as filler:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    filler.write(b"x" * size)
            except OSError:
                pass


def submit_until_refused(smoother, size: int) -> tuple[list[str], object]:
    """The ids that were accepted, and the refusal."""
    accepted = []
    for number in range(5_000):
        answer = smoother.submit(f"{number} [[sim out=2]] " + "y" * size)
        if answer.status != 202:
            return accepted, answer
        accepted.append(answer.json()["id"])
    raise AssertionError("the disk never filled")


def test_a_full_disk_refuses_keeps_what_was_accepted_and_resumes(new_simulator, new_smoother, small_disk):
    smoother = new_smoother(new_simulator().url, server={"data_dir": str(small_disk / "data")})
    fill(small_disk)
    accepted = []
    for size in (BODY, 200_000, 100):
        ids, refusal = submit_until_refused(smoother, size)
        accepted += ids
        assert refusal.status in (503, 507), refusal.body
        assert "full" in refusal.body.decode().lower() or "space" in refusal.body.decode().lower(), refusal.body
        assert "SELECT" not in refusal.body.decode() and "INSERT" not in refusal.body.decode()
        assert smoother.get("/healthz").status == 200, smoother.process.output()[-4000:]
    assert accepted
    (small_disk / "filler").unlink()
    resumed = smoother.submit("After. [[sim out=2]]")
    assert resumed.status == 202, resumed.body
    for job in [*accepted, resumed.json()["id"]]:
        assert smoother.until_ended(job)["status"] == "COMPLETED"
    assert smoother.stop() == 0, smoother.process.output()[-4000:]
    verified = subprocess.run(
        [binaries.smoother(), "verify", "--data-dir", str(small_disk / "data")],
        capture_output=True, text=True, timeout=60, env=clean_env(),
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_synchronous_calls_on_a_filling_disk_are_answered_or_refused(new_simulator, new_smoother, small_disk):
    smoother = new_smoother(new_simulator().url, server={"data_dir": str(small_disk / "data")})
    fill(small_disk)
    answers = []

    def call(thread: int) -> None:
        for number in range(60):
            answers.append(smoother.converse(f"{thread}.{number} [[sim out=2]] " + "y" * 30_000, timeout=60))

    callers = [threading.Thread(target=call, args=(thread,)) for thread in range(4)]
    for caller in callers:
        caller.start()
    # Calls whose end finds no room wait for it, and so may all callers: there is some again before they give up.
    full = lambda: any(answer.status >= 500 for answer in answers) or len(answers) == 240  # noqa: E731
    waits = lambda: "a call's end waits for the store" in smoother.process.output()  # noqa: E731
    smoother.until(lambda: full() or waits(), "a refusal, or a call that waits for room")
    (small_disk / "filler").unlink()
    for caller in callers:
        caller.join(120)
    assert len(answers) == 240
    assert {answer.status for answer in answers} <= {200, 503, 507}, {answer.status for answer in answers}
    assert smoother.converse("After. [[sim out=2]]").status == 200
    assert smoother.stop() == 0, smoother.process.output()[-4000:]


def test_a_start_on_a_full_disk_says_so(new_simulator, new_smoother, small_disk):
    smoother = new_smoother(new_simulator().url, server={"data_dir": str(small_disk / "data")}, start=False)
    fill(small_disk)
    command = [binaries.smoother(), "serve", "--config", str(smoother.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean_env())
    assert done.returncode == 1
    assert "no space" in done.stderr.lower() and str(small_disk / "data") in done.stderr, done.stderr
