"""A caller that goes away: its request is cancelled after a grace, at once where no retry can come."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from house import models
from house.raw import Raw


def call(smoother, mark: str, headers: dict[str, str]) -> Raw:
    raw = Raw(smoother.port)
    body = models.converse_body(f"Slow. [[sim out=5 latency_ms=20000 id={mark}]]")
    raw.send_request("POST", f"/model/{models.CLAUDE}/converse", body, headers)
    return raw


@pytest.mark.parametrize(
    "headers",
    [{}, {"amz-sdk-invocation-id": "2f1c0b4e-0000-4000-8000-000000000001", "amz-sdk-request": "attempt=5; max=5"}],
    ids=["no-invocation-id", "last-attempt"],
)
def test_without_a_retry_to_come_the_call_is_aborted_at_once(new_simulator, new_smoother, headers):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url)
    raw = call(smoother, "gone", headers)
    smoother.until(lambda: simulator.stats()["in_flight"] == 1, "the call upstream")
    raw.close()
    left = time.monotonic()
    smoother.until(lambda: simulator.stats()["aborted"] == 1, "the abort upstream", 15)
    assert time.monotonic() - left < 10
    job = smoother.get("/v1/jobs").json()["jobs"][0]
    assert smoother.until_ended(job["id"])["status"] == "CANCELLED"


def test_a_retry_within_the_grace_joins(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url)
    key = {"amz-sdk-invocation-id": "2f1c0b4e-0000-4000-8000-000000000002"}
    mark = "back"
    body = models.converse_body(f"Slow. [[sim out=5 latency_ms=3000 id={mark}]]")
    path = f"/model/{models.CLAUDE}/converse"
    raw = Raw(smoother.port)
    raw.send_request("POST", path, body, {**key, "amz-sdk-request": "attempt=1; max=5"})
    smoother.until(lambda: simulator.stats()["in_flight"] == 1, "the call upstream")
    raw.close()
    answer = smoother.post(path, body, {**key, "amz-sdk-request": "attempt=2; max=5"})
    assert answer.status == 200
    assert answer.json()["usage"]["outputTokens"] == 5
    assert len(simulator.calls_of(mark)) == 1


def test_a_slow_reader_holds_nobody_else_back(new_simulator, new_smoother):
    simulator = new_simulator({"latency": {"tokens_per_event": 1}})
    smoother = new_smoother(simulator.url)
    # Far more than a socket's buffers hold, and never read.
    reader = Raw(smoother.port, receive_buffer=4096)
    body = models.converse_body("Long. [[sim out=60000]]", 64_000)
    reader.send_request("POST", f"/model/{models.CLAUDE}/converse-stream", body, {})
    smoother.until(lambda: simulator.stats()["accepted"] == 1, "the stream upstream")
    started = time.monotonic()
    for n in range(20):
        assert smoother.converse(f"Neighbour {n}. [[sim out=5]]").status == 200
    assert time.monotonic() - started < 10
    reader.close()


SLOW = models.converse_body("Slow. [[sim out=5 latency_ms=60000 id=slow]]")
CONVERSE = f"/model/{models.CLAUDE}/converse"


def test_a_long_poll_keeps_no_abandoned_request_alive(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, server={"disconnect_grace_ms": 1000})
    raw = Raw(smoother.port)
    key = {"amz-sdk-invocation-id": "2f1c0b4e-0000-4000-8000-000000000003", "amz-sdk-request": "attempt=1; max=5"}
    raw.send_request("POST", CONVERSE, SLOW, key)
    smoother.until(lambda: simulator.stats()["in_flight"] == 1, "the call upstream")
    job = smoother.get("/v1/jobs").json()["jobs"][0]["id"]
    with ThreadPoolExecutor() as pool:
        polled = pool.submit(smoother.get, f"/v1/jobs/{job}?wait_ms=30000")
        raw.close()
        assert polled.result(timeout=25).json()["status"] == "CANCELLED"
    smoother.until(lambda: simulator.stats()["aborted"] == 1, "the abort upstream", 15)


def test_a_job_that_joins_a_callers_request_outlives_the_caller(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, server={"disconnect_grace_ms": 500})
    body = models.converse_body("Slow. [[sim out=5 latency_ms=3000 id=both]]")
    raw = Raw(smoother.port)
    raw.send_request("POST", CONVERSE, body, {"idempotency-key": "both"})
    smoother.until(lambda: simulator.stats()["in_flight"] == 1, "the call upstream")
    # The key stands for operation, model and body, byte for byte.
    job = {"model": models.CLAUDE, "body": body, "idempotency_key": "both"}
    accepted = smoother.post("/v1/jobs", job)
    assert accepted.status == 202, accepted.body
    raw.close()
    assert smoother.until_ended(accepted.json()["id"])["status"] == "COMPLETED"
    assert len(simulator.calls_of("both")) == 1 and simulator.stats()["aborted"] == 0


def test_a_crash_calls_nobodys_request_again(new_simulator, new_smoother):
    """One caller who cannot come back is running, one waits behind it; a third may come back."""
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes={"narrow": {"max_concurrency": 1}})
    callers = [Raw(smoother.port) for _ in range(3)]
    may_return = {"amz-sdk-invocation-id": "2f1c0b4e-0000-4000-8000-000000000004", "amz-sdk-request": "attempt=1; max=5"}
    for number, (raw, headers) in enumerate(zip(callers, [{}, {}, may_return], strict=True)):
        wait = 10 if may_return is headers else 60_000
        body = models.converse_body(f"Slow. [[sim out=5 latency_ms={wait} id=crash-{number}]]")
        raw.send_request("POST", CONVERSE, body, headers)
        smoother.until(lambda: len(smoother.get("/v1/jobs").json()["jobs"]) > number, "its row")
    smoother.until(lambda: simulator.stats()["in_flight"] == 1, "the call upstream")
    jobs = [job["id"] for job in smoother.get("/v1/jobs").json()["jobs"]][::-1]
    smoother.kill()
    smoother.start()
    assert [smoother.until_ended(job)["status"] for job in jobs[:2]] == ["CANCELLED", "CANCELLED"]
    assert smoother.until_ended(jobs[2])["status"] == "COMPLETED"
    assert [len(simulator.calls_of(f"crash-{number}")) for number in range(3)] == [1, 0, 1]
