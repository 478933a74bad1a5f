"""What the server writes about itself."""

import subprocess

from house import binaries
from house.process import AWS_ENV, clean_env


def test_no_level_writes_a_prompt_an_answer_or_a_key(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, start=False)
    smoother.start(env=clean_env(SMOOTHER_LOG="trace"))
    answer = smoother.converse("The word is xylophone. [[sim out=5]]").json()
    job = smoother.submit("The other word is glockenspiel. [[sim out=5]]").json()
    smoother.until_ended(job["id"])
    assert smoother.stop() == 0
    log = smoother.process.output()
    assert "TRACE" in log or "DEBUG" in log, "the level was not taken"
    said = answer["output"]["message"]["content"][0]["text"].strip()
    for secret in ("xylophone", "glockenspiel", said, AWS_ENV["AWS_ACCESS_KEY_ID"]):
        assert secret not in log


def test_an_unknown_level_is_a_mistake(tmp_path):
    env = clean_env(SMOOTHER_LOG="loud")
    command = [binaries.smoother(), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=env)
    assert done.returncode == 4
    assert "SMOOTHER_LOG" in done.stderr and "debug" in done.stderr


def test_a_mistaken_configuration_is_reported_once(tmp_path):
    config = tmp_path / "bad.toml"
    config.write_text("[server]\nlisten = 5\nnonsense = true\n")
    command = [binaries.smoother(), "serve", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=clean_env())
    assert done.returncode == 4
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2 and "server.listen" in lines[0] and "server.nonsense" in lines[1], done.stderr


def test_a_start_says_what_it_has_taken_up(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes={"narrow": {"max_concurrency": 1}})
    assert "taken up" not in smoother.process.output(), "an empty store is nothing to tell of"
    # The first call has no answer before the crash, and one after it.
    prompts = ["Zither 0. [[sim fault=hang times=1 id=first]]", *(f"Zither {n}. [[sim out=1]]" for n in range(1, 4))]
    jobs = [smoother.submit(prompt).json()["id"] for prompt in prompts]
    smoother.until(lambda: simulator.calls_of("first"), "a call upstream")
    smoother.kill()
    smoother.start()
    log = smoother.process.output()
    line = next(line for line in log.splitlines() if "taken up" in line)
    assert "WARN" in line and "indeterminate=1" in line and "lane=narrow" in line, line
    assert f"waiting={len(jobs)}" in line, line
    for job in jobs:
        smoother.until_ended(job)
    assert "Zither" not in smoother.process.output()


def test_a_request_without_an_answer_is_logged_without_its_words(new_simulator, new_smoother):
    smoother = new_smoother(new_simulator().url)
    failed = smoother.submit("Zither. [[sim fault=400]]").json()["id"]
    expired = smoother.submit("Zither. [[sim latency_ms=20000]]", timeout_ms=300).json()["id"]
    for job in (failed, expired):
        smoother.until_ended(job)
    logged = smoother.until(
        lambda: (log := smoother.process.output()).count("WARN") >= 2 and log, "both to be logged"
    ).splitlines()
    (line,) = [line for line in logged if failed in line]
    assert "WARN" in line and "a request failed" in line and "ValidationException" in line and "status=400" in line
    (line,) = [line for line in logged if expired in line]
    assert "WARN" in line and "expired" in line
    assert "Zither" not in smoother.process.output()
