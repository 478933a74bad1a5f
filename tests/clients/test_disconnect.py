"""A caller that goes away: its request is cancelled after a grace, at once where no retry can come."""

import time

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
