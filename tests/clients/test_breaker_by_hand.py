"""A lane's circuit breaker, held by hand and by its own judgement, as an operator sees it."""

import re
import subprocess
import threading

import pytest

from house import binaries, models, sdk
from house.process import clean_env

QUICK = {
    "quick": {
        "max_tries": 1,
        "breaker_min_calls": 5,
        "breaker_window_ms": 60_000,
        "breaker_open_ms": 300,
        "breaker_probes": 2,
    }
}


@pytest.fixture
def house(new_simulator, new_smoother):
    simulator = new_simulator()
    return simulator, new_smoother(simulator.url, lanes=QUICK)


def breaker(smoother) -> dict:
    return smoother.get("/v1/lanes/quick").json()["breaker"]


def hold(smoother, state: str) -> dict:
    answer = smoother.post("/v1/lanes/quick/breaker", {"state": state})
    assert answer.status == 200, answer.body
    return answer.json()["breaker"]


def gauge(smoother) -> str:
    metrics = smoother.get("/metrics").body.decode()
    return re.search(r'^smoother_breaker_state\{lane="quick"\} (\d)$', metrics, re.M).group(1)


class Call(threading.Thread):
    """A boto3 call on a thread of its own."""

    def __init__(self, smoother, mark: str):
        super().__init__(daemon=True)
        self.smoother, self.mark, self.answer = smoother, mark, None
        self.start()

    def run(self):
        self.answer = sdk.bedrock(self.smoother.url).converse(
            modelId=models.CLAUDE, **models.converse_body(f"Hello. [[sim out=3 id={self.mark}]]")
        )

    def ended(self):
        self.join(30)
        return self.answer


def test_held_open_calls_wait_and_are_answered_once_it_is_closed(house):
    simulator, smoother = house
    held = hold(smoother, "open")
    assert (held["state"], held["by_hand"]) == ("open", True)
    assert gauge(smoother) == "2"
    call = Call(smoother, "waits")
    smoother.until(
        lambda: smoother.get("/v1/lanes/quick").json()["waiting"].get("normal", {}).get("requests") == 1,
        "the call in line",
    )
    assert simulator.calls_of("waits") == []
    assert (hold(smoother, "closed")["by_hand"], gauge(smoother)) == (True, "0")
    assert call.ended()["usage"]["outputTokens"] == 3
    assert hold(smoother, "auto")["by_hand"] is False


def test_what_is_held_by_hand_is_held_after_a_restart(house):
    simulator, smoother = house
    hold(smoother, "open")
    job_id = smoother.submit("Waits. [[sim out=2 id=restart]]").json()["id"]
    assert smoother.stop() == 0
    smoother.start()
    found = breaker(smoother)
    assert (found["state"], found["by_hand"]) == ("open", True)
    assert smoother.job(job_id)["status"] == "QUEUED"
    assert simulator.calls_of("restart") == []
    hold(smoother, "auto")
    assert smoother.until_ended(job_id)["status"] == "COMPLETED"


def test_what_died_while_it_opened_is_redriven_once_it_has_closed(house):
    simulator, smoother = house
    simulator.control({"faults": {"rules": [{"fault": "500", "share": 1}]}})
    dead = [smoother.submit(f"Fails {n}. [[sim out=1]]").json()["id"] for n in range(5)]
    for job_id in dead:
        assert smoother.until_ended(job_id)["status"] == "FAILED"
    smoother.until(lambda: breaker(smoother)["opened"] >= 1, "the breaker to open")
    assert breaker(smoother)["by_hand"] is False
    waiting = [smoother.submit(f"Waits {n}. [[sim out=1]]").json()["id"] for n in range(6)]
    simulator.control({"faults": {"rules": []}})
    # A probe that met the upstream before it was well is a dead letter too.
    assert {smoother.until_ended(job_id)["status"] for job_id in waiting} <= {"COMPLETED", "FAILED"}
    smoother.until(lambda: breaker(smoother)["state"] == "closed", "the breaker to close")
    assert gauge(smoother) == "0"

    swept = smoother.post("/v1/dlq/redrive", {"lane": "quick"}).json()
    assert swept["redriven"] >= 5 and swept["refused"] == []
    for job_id in [*dead, *waiting]:
        assert smoother.until_ended(job_id)["status"] == "COMPLETED"


def test_mistakes_change_nothing(house):
    _, smoother = house
    for path, body, status in [
        ("/v1/lanes/quick/breaker", {"state": "ajar"}, 400),
        ("/v1/lanes/quick/breaker", {}, 400),
        ("/v1/lanes/slow/breaker", {"state": "open"}, 404),
    ]:
        answer = smoother.post(path, body)
        assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert smoother.get("/v1/lanes/quick/breaker").status == 405
    assert breaker(smoother)["state"] == "closed"


def test_the_command_line_holds_it_and_shows_it(house):
    _, smoother = house

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [binaries.smoother(), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=clean_env(SMOOTHER_SERVER=smoother.url),
        )

    opened = run("lane", "open", "quick")
    assert (opened.returncode, opened.stdout.strip()) == (0, "quick open by hand")
    assert "open by hand" in run("lanes").stdout
    assert run("lane", "close", "quick").stdout.strip() == "quick closed by hand"
    assert run("lane", "auto", "quick").stdout.strip() == "quick closed"
    assert run("lane", "open", "slow").returncode == 3
    assert run("lane", "ajar", "quick").returncode == 2
