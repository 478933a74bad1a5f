"""What is on disk is what counts: stops, crashes, second servers, damaged and foreign data."""

import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

from house import binaries, models
from house.process import Process, clean_env

NARROW = {"narrow": {"max_concurrency": 1}}


def test_queued_jobs_outlive_a_stop(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=NARROW)
    jobs = [smoother.submit(f"Job {n}. [[sim out=2 latency_ms=200 id=stop-{n}]]").json() for n in range(10)]
    assert smoother.stop() == 0, smoother.process.output()
    smoother.start()
    for number, job in enumerate(jobs):
        assert smoother.until_ended(job["id"])["status"] == "COMPLETED"
        assert len(simulator.calls_of(f"stop-{number}")) == 1, "a stop finishes what runs and starts nothing twice"


def test_a_lane_is_not_taken_away_from_those_who_wait_in_it(new_simulator, new_smoother, tmp_path):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=NARROW)
    for number in range(3):
        smoother.submit(f"Job {number}. [[sim out=2 latency_ms=60000]]")
    smoother.kill()
    config = tmp_path / "without.toml"
    text = (smoother.folder / "smoother.toml").read_text()
    config.write_text(text.replace("[lanes.narrow]", "[lanes.other]"))
    command = [binaries.smoother(), "serve", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=clean_env())
    assert done.returncode == 1
    assert "3 request(s)" in done.stderr and "lane narrow" in done.stderr and "data_dir" in done.stderr


def test_a_lane_is_not_taken_away_from_those_who_may_go_on_in_it(new_simulator, new_smoother, tmp_path):
    """A request that hops into a lane nobody serves would wait for ever."""
    lanes = {"narrow": {"max_concurrency": 1, "fallback": ["spare"]}, "spare": {"standby": True, "region": "us-west-2"}}
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=lanes)
    # The first call has no answer before the crash, and one after it.
    prompts = ["Job 0. [[sim fault=hang times=1 id=first]]", "Job 1.", "Job 2."]
    jobs = [smoother.submit(prompt).json() for prompt in prompts]
    smoother.until(lambda: simulator.calls_of("first"), "the call upstream")
    smoother.kill()
    config = tmp_path / "without.toml"
    text = smoother.config.read_text()
    config.write_text(text.split("[lanes.spare]")[0].replace('fallback = ["spare"]', ""))
    command = [binaries.smoother(), "serve", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=clean_env())
    assert done.returncode == 1
    assert "3 request(s)" in done.stderr and "may go on in lane spare" in done.stderr, done.stderr
    smoother.start()
    assert {smoother.until_ended(job["id"])["status"] for job in jobs} == {"COMPLETED"}
    assert smoother.stop() == 0
    smoother.config = config
    smoother.start()
    assert smoother.stop() == 0, "over, they hold no lane"


def test_jobs_outlive_a_crash(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=NARROW)
    jobs = [smoother.submit(f"Job {n}. [[sim out=2 latency_ms=300 id=crash-{n}]]").json() for n in range(10)]
    smoother.until(lambda: simulator.stats()["in_flight"] == 1, "a call upstream")
    smoother.kill()
    smoother.start()
    states = [smoother.until_ended(job["id"]) for job in jobs]
    assert {state["status"] for state in states} == {"COMPLETED"}
    calls = [len(simulator.calls_of(f"crash-{number}")) for number in range(10)]
    assert sum(calls) <= 11 and min(calls) == 1, "only the call that was under way may have been made twice"
    assert sum(state["calls_made"] for state in states) == sum(calls), "and it is reported"


def test_results_outlive_a_stop(new_simulator, new_smoother):
    smoother = new_smoother(new_simulator().url)
    job = smoother.submit("Kept. [[sim out=5]]").json()
    smoother.until_ended(job["id"])
    before = smoother.get(job["result_url"])
    assert smoother.stop() == 0
    smoother.start()
    after = smoother.get(job["result_url"])
    assert (after.status, after.body) == (200, before.body)


def test_sigterm_lets_running_calls_finish(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url)
    answers = []
    caller = threading.Thread(
        target=lambda: answers.append(smoother.converse("Slow. [[sim out=5 latency_ms=1500]]"))
    )
    caller.start()
    smoother.until(lambda: simulator.stats()["in_flight"] == 1, "the call upstream")
    smoother.process.signal(signal.SIGTERM)
    caller.join(30)
    assert answers and answers[0].status == 200
    assert answers[0].json()["usage"]["outputTokens"] == 5
    assert smoother.process.wait() == 0
    assert simulator.stats()["aborted"] == 0


def refusal_to_start(smoother, name: str) -> str:
    """Starts another process on the same configuration, which must end with an error; its output."""
    process = Process(
        [binaries.smoother(), "serve", "--config", str(smoother.config), "--listen", "127.0.0.1:0"],
        smoother.folder / f"{name}.log",
        smoother.folder,
        clean_env(),
    )
    try:
        assert process.wait(30) != 0
        return process.output()
    finally:
        process.kill()


def test_a_second_server_on_the_same_data_is_refused_and_harms_nothing(new_simulator, new_smoother):
    smoother = new_smoother(new_simulator().url)
    job = smoother.submit("Before. [[sim out=2]]").json()
    output = refusal_to_start(smoother, "second")
    assert str(smoother.data_dir) in output and str(smoother.process.pid) in output
    assert smoother.until_ended(job["id"])["status"] == "COMPLETED"
    assert smoother.converse("After.").status == 200


def database(smoother):
    files = [path for path in smoother.data_dir.iterdir() if path.is_file()]
    found = [path for path in files if path.read_bytes()[:15] == b"SQLite format 3"]
    assert len(found) == 1, files
    return found[0]


def test_data_of_a_newer_schema_is_refused_untouched(new_simulator, new_smoother):
    smoother = new_smoother(new_simulator().url)
    smoother.submit("Kept. [[sim out=2]]")
    assert smoother.stop() == 0
    file = database(smoother)
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 9999")
    connection.close()
    before = file.read_bytes()
    assert "9999" in refusal_to_start(smoother, "newer")
    assert file.read_bytes() == before


@pytest.mark.parametrize("damage", ["header", "middle", "cut"])
def test_a_damaged_database_is_refused_untouched(new_simulator, new_smoother, damage):
    smoother = new_smoother(new_simulator().url)
    for n in range(50):
        smoother.submit(f"Kept {n}. " + "word " * 200)
    assert smoother.stop() == 0
    file = database(smoother)
    data = bytearray(file.read_bytes())
    if damage == "header":
        data[:64] = bytes(64)
    elif damage == "middle":
        # Every page but the first: whatever is read of it is wrong.
        data[4096:] = bytes(byte ^ 0x5A for byte in data[4096:])
    else:
        del data[len(data) // 2 :]
    file.write_bytes(data)
    output = refusal_to_start(smoother, damage)
    assert file.name in output, output
    assert file.read_bytes() == bytes(data)


def test_a_data_directory_that_cannot_be_made_is_refused_by_name(new_simulator, new_smoother):
    smoother = new_smoother(new_simulator().url, start=False)
    shutil.rmtree(smoother.data_dir, ignore_errors=True)
    smoother.data_dir.write_text("a file stands here")
    assert str(smoother.data_dir) in refusal_to_start(smoother, "no-directory")


def test_a_server_that_listens_beyond_loopback_is_refused(new_simulator, new_smoother):
    smoother = new_smoother(new_simulator().url, start=False)
    text = smoother.config.read_text().replace(f"127.0.0.1:{smoother.port}", f"0.0.0.0:{smoother.port}")
    smoother.config.write_text(text)
    process = Process(
        [binaries.smoother(), "serve", "--config", str(smoother.config)], smoother.folder / "log", smoother.folder
    )
    try:
        assert process.wait(20) != 0
        assert "0.0.0.0" in process.output()
    finally:
        process.kill()


def test_a_model_of_two_lanes_and_one_of_none(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(
        simulator.url, lanes={"old": {"models": [models.CLAUDE_OLD]}, "new": {"models": [models.CLAUDE]}}
    )
    for model, lane in [(models.CLAUDE_OLD, "old"), (models.CLAUDE, "new")]:
        answer = smoother.converse("Hello.", model=model)
        assert answer.status == 200
        assert smoother.job(answer.headers["x-smoother-job-id"])["lane"] == lane
    refused = smoother.converse("Hello.", model=models.NOVA)
    assert refused.status in (400, 404) and "old" in refused.json()["message"]
