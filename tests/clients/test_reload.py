"""SIGHUP: another configuration for a smoother that runs, while it is at work."""

import json
import re
import signal
import subprocess
import threading

from house import binaries, models
from house.process import clean_env

SMALL = 60_000
CALL = "[[sim in=500 out=20]] "


def rewrite(smoother, *changes: tuple[str, str]) -> None:
    """Replaces text of the configuration file."""
    text = smoother.config.read_text()
    for old, new in changes:
        assert old in text, (old, text)
        text = text.replace(old, new)
    smoother.config.write_text(text)


def reload(smoother, said: str) -> str:
    """SIGHUP, and the log up to the line that holds `said`."""
    before = len(smoother.process.output())
    smoother.process.signal(signal.SIGHUP)
    return smoother.until(
        lambda: said in (text := smoother.process.output()[before:]) and text, f"{said!r} in the log"
    )


def lane(smoother, name: str = "small") -> dict:
    return smoother.get(f"/v1/lanes/{name}").json()


def waiting(smoother) -> int:
    return sum(band["requests"] for band in lane(smoother)["waiting"].values())


def test_a_raised_quota_speeds_a_backlog_up_at_once(new_simulator, new_smoother):
    # 60 calls of some 500 tokens over 6,000 a minute would take five minutes.
    smoother = new_smoother(
        new_simulator().url, lanes={"small": {"tokens_per_minute": 6_000, "output_burndown": 1}}
    )
    jobs = [smoother.submit(CALL + f"Job {n}. " + "word " * 400).json()["id"] for n in range(60)]
    smoother.until(lambda: 0 < waiting(smoother) < 60, "the first call to go")
    assert waiting(smoother) > 40
    rewrite(smoother, ("tokens_per_minute = 6000", "tokens_per_minute = 60000000"))
    log = reload(smoother, "the configuration was reloaded")
    assert "reloaded: lanes.small.tokens_per_minute: 6000 → 60000000" in log
    for job in jobs:
        assert smoother.until_ended(job)["status"] == "COMPLETED"


def test_a_bad_file_is_refused_with_every_mistake_and_traffic_goes_on(simulator, new_smoother):
    smoother = new_smoother(simulator.url, lanes={"small": {"tokens_per_minute": SMALL}})
    good = smoother.config.read_text()
    rewrite(smoother, ("tokens_per_minute = 60000", "tokens_per_minute = \"many\"\npacing = \"slow\""))
    log = reload(smoother, "the configuration was not reloaded")
    assert len(re.findall("not reloaded: .*smoother.toml:", log)) == 2, log
    assert "many" in log and "slow" in log
    assert smoother.converse("Hello. [[sim out=3]]").status == 200
    assert lane(smoother)["tokens"]["limit"] == SMALL

    smoother.config.unlink()
    assert "No such file" in reload(smoother, "the configuration was not reloaded")
    assert smoother.converse("Hello. [[sim out=3]]").status == 200

    smoother.config.write_text(good.replace(str(smoother.port), "1").replace("= 60000\n", "= 70000\n"))
    log = reload(smoother, "the configuration was not reloaded")
    assert "server.listen" in log and "needs a restart" in log
    assert lane(smoother)["tokens"]["limit"] == SMALL, "all of it or nothing"

    smoother.config.write_text(good)
    assert "changes=0" in reload(smoother, "the configuration was reloaded")
    assert smoother.stop() == 0


def test_a_new_lane_serves_and_a_moved_one_calls_its_new_endpoint(new_simulator, new_smoother):
    one, other = new_simulator(), new_simulator()
    smoother = new_smoother(one.url, lanes={"claude": {"models": [models.CLAUDE]}})
    refused = smoother.converse("Hello.", model=models.NOVA)
    assert refused.status == 400, refused.body
    section = smoother.config.read_text().split("[lanes.claude]")[1]
    with smoother.config.open("a") as file:
        file.write("[lanes.nova]" + section.replace(models.CLAUDE, models.NOVA).replace(one.url, other.url))
    assert "lanes.nova: added" in reload(smoother, "the configuration was reloaded")
    assert smoother.converse("Hello. [[sim out=3]]", model=models.NOVA).status == 200
    assert (one.stats()["accepted"], other.stats()["accepted"]) == (0, 1)

    rewrite(smoother, (one.url, other.url))
    reload(smoother, "the configuration was reloaded")
    assert smoother.converse("Hello. [[sim out=3]]").status == 200
    assert (one.stats()["accepted"], other.stats()["accepted"]) == (0, 2)


def test_no_request_is_lost_or_refused_during_fifty_reloads(new_simulator, new_smoother):
    # Both quotas are the simulator's or less, so that nothing may be throttled.
    quota = {"tokens_per_minute": 6_000_000, "limiter": "bucket", "bucket_seconds": 10}
    simulator = new_simulator({"quota": quota, "latency": {"base_ms": 30}, "output_burndown": 5})
    smoother = new_smoother(
        simulator.url, lanes={"busy": {"tokens_per_minute": 6_000_000, "max_concurrency": 32}}
    )
    over, answers, jobs = threading.Event(), [], []

    def call(worker: int) -> None:
        n = 0
        while not over.is_set():
            n += 1
            answer = smoother.converse(f"Worker {worker}, call {n}. [[sim in=50 out=10]]")
            answers.append(answer.status)
            answer = smoother.submit(f"Worker {worker}, job {n}. [[sim in=50 out=10]]")
            answers.append(answer.status)
            jobs.append(answer.json()["id"])

    callers = [threading.Thread(target=call, args=(worker,)) for worker in range(8)]
    for caller in callers:
        caller.start()
    try:
        for n in range(50):
            tokens, calls, tries = (3_000_000, 4, 9) if n % 2 == 0 else (6_000_000, 32, 3)
            text = smoother.config.read_text()
            text = re.sub(r"tokens_per_minute = \d+", f"tokens_per_minute = {tokens}", text)
            text = re.sub(r"max_concurrency = \d+", f"max_concurrency = {calls}", text)
            text = re.sub(r"max_tries = \d+\n", "", text) + f"max_tries = {tries}\n"
            smoother.config.write_text(text)
            log = reload(smoother, "the configuration was reloaded")
            assert f"max_concurrency: {36 - calls} → {calls}" in log
            # The next one in the middle of some work.
            before = len(answers)
            smoother.until(lambda: len(answers) > before + 3, "traffic between two reloads")
    finally:
        over.set()
        for caller in callers:
            caller.join(60)
    assert len(jobs) > 100 and set(answers) == {200, 202}, set(answers)
    for job in jobs:
        assert smoother.until_ended(job)["status"] == "COMPLETED"
    assert simulator.throttled() == 0
    assert simulator.stats()["accepted"] == len(answers), "each once"
    assert smoother.stop() == 0


def test_a_reload_keeps_nobody_waiting(simulator, new_smoother):
    smoother = new_smoother(simulator.url, lanes={"roomy": {"max_tries": 3}})
    over, answers = threading.Event(), []

    def call(worker: int) -> None:
        while not over.is_set():
            answer = smoother.converse(f"Worker {worker}. [[sim out=2]]")
            answers.append((answer.status, int(answer.headers.get("x-smoother-queue-ms", -1))))

    callers = [threading.Thread(target=call, args=(worker,)) for worker in range(4)]
    for caller in callers:
        caller.start()
    try:
        for n in range(20):
            rewrite(smoother, (f"max_tries = {3 + n % 2}", f"max_tries = {4 - n % 2}"))
            before = len(answers)
            reload(smoother, "the configuration was reloaded")
            smoother.until(lambda: len(answers) > before + 4, "traffic after the reload")
    finally:
        over.set()
        for caller in callers:
            caller.join(60)
    assert {status for status, _ in answers} == {200}
    # Nothing holds a call up in a roomy lane; the bound is for a busy machine.
    waited = sorted(ms for _, ms in answers)
    assert 0 <= waited[0] and waited[-1] < 2_000, waited[-10:]


def test_what_a_reload_would_do_is_told_beforehand(simulator, new_smoother, tmp_path):
    smoother = new_smoother(simulator.url, lanes={"small": {"tokens_per_minute": SMALL}}, start=False)
    next_one = tmp_path / "next.toml"
    text = smoother.config.read_text().replace("tokens_per_minute = 60000", "tokens_per_minute = 70000")
    next_one.write_text(text)
    command = [binaries.smoother(), "check-config", str(next_one), "--running", str(smoother.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=clean_env())
    assert done.returncode == 0, done.stderr
    assert "lanes.small.tokens_per_minute: 60000 → 70000\nSIGHUP takes them." in done.stdout
    next_one.write_text(text.replace(f":{smoother.port}", ":1"))
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=30, env=clean_env())
    report = json.loads(done.stdout)
    assert report["ok"] and len(report["changes"]) == 2
    assert [reason.split(":")[0] for reason in report["reload_refused"]] == ["server.listen"]
