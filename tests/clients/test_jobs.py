"""The job API over HTTP: hand in, follow, fetch, call off, hand in again."""

import json

from house import models

# One job at a time gets through; the others wait.
NARROW = {"narrow": {"max_concurrency": 1}}


def test_a_job_from_hand_in_to_result(smoother, simulator):
    accepted = smoother.submit("Name three rivers. [[sim out=12]]")
    assert accepted.status == 202
    job = accepted.json()
    assert accepted.headers["location"] == job["status_url"] == f"/v1/jobs/{job['id']}"
    assert {"status", "estimated_position", "estimated_start", "lane", "model"} <= job.keys()

    ended = smoother.until_ended(job["id"])
    assert (ended["status"], ended["calls_made"]) == ("COMPLETED", 1)
    assert ended["usage"]["output_tokens"] == 12
    # input + output × burndown, as Bedrock charges in the end.
    assert ended["charged_tokens"] == ended["usage"]["input_tokens"] + 5 * 12

    result = smoother.get(job["result_url"])
    assert result.status == 200
    assert result.headers["x-smoother-job-id"] == job["id"]
    direct = smoother.converse("Name three rivers. [[sim out=12]]").json()
    assert result.json()["output"] == direct["output"]


def test_every_operation_is_a_job(smoother):
    prompt = "Hello. [[sim out=6]]"
    for operation, body in [
        ("converse", models.converse_body(prompt)),
        ("converse-stream", models.converse_body(prompt)),
        ("invoke", models.invoke_body(models.CLAUDE, prompt)),
        ("invoke-with-response-stream", models.invoke_body(models.CLAUDE, prompt)),
    ]:
        job = smoother.submit("", operation=operation, body=body).json()
        assert smoother.until_ended(job["id"])["status"] == "COMPLETED", operation
        result = smoother.get(job["result_url"])
        streamed = operation.endswith("stream")
        expected = "application/vnd.amazon.eventstream" if streamed else "application/json"
        assert result.headers["content-type"] == expected, operation
        assert result.body


def test_a_result_can_be_waited_for(smoother):
    job = smoother.submit("Slow. [[sim out=3 latency_ms=400]]").json()
    result = smoother.get(f"{job['result_url']}?wait_ms=10000")
    assert result.status == 200 and result.json()["usage"]["outputTokens"] == 3


def test_the_same_key_is_the_same_job_and_another_body_a_conflict(smoother, simulator):
    key = {"idempotency-key": "order-4711"}
    first = smoother.submit("Once. [[sim out=3 id=once]]", key).json()
    again = smoother.submit("Once. [[sim out=3 id=once]]", key)
    assert again.status in (200, 202) and again.json()["id"] == first["id"]
    other = smoother.submit("Otherwise.", key)
    assert other.status == 409
    assert other.headers["content-type"] == "application/problem+json"
    assert first["id"] in other.json()["detail"]
    smoother.until_ended(first["id"])
    assert smoother.submit("Once. [[sim out=3 id=once]]", key).json()["id"] == first["id"]
    assert len(simulator.calls_of("once")) == 1


def test_a_waiting_job_is_called_off(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=NARROW)
    running = smoother.submit("Running. [[sim latency_ms=60000]]").json()
    waiting = smoother.submit("Waiting. [[sim id=waiting]]").json()
    gone = smoother.delete(f"/v1/jobs/{waiting['id']}")
    assert gone.status == 200 and gone.json()["status"] == "CANCELLED"
    # The lane is free, and still nothing is sent for it.
    assert smoother.delete(f"/v1/jobs/{running['id']}").json()["status"] == "CANCELLED"
    after = smoother.submit("After.").json()
    assert smoother.until_ended(after["id"])["status"] == "COMPLETED"
    assert simulator.calls_of("waiting") == []
    assert smoother.get(waiting["result_url"]).status == 409


def test_a_running_job_is_called_off_upstream_too(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url)
    job = smoother.submit("Running. [[sim latency_ms=30000]]").json()
    smoother.until(lambda: simulator.stats()["in_flight"] == 1, "the call upstream")
    assert smoother.delete(job["status_url"]).json()["status"] == "CANCELLED"
    smoother.until(lambda: simulator.stats()["aborted"] == 1, "the abort upstream")


def test_deleting_an_ended_job_returns_its_state(smoother):
    job = smoother.submit("Short. [[sim out=2]]").json()
    smoother.until_ended(job["id"])
    gone = smoother.delete(job["status_url"])
    assert gone.status == 200 and gone.json()["status"] == "COMPLETED"


def test_a_job_past_its_deadline_expires(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=NARROW)
    smoother.submit("Running. [[sim latency_ms=60000]]")
    late = smoother.submit("Late. [[sim id=late]]", {"x-smoother-timeout-ms": "500"}).json()
    assert smoother.until_ended(late["id"])["status"] == "EXPIRED"
    assert simulator.calls_of("late") == []


def test_the_list_is_read_in_pages_that_neither_miss_nor_repeat(new_simulator, new_smoother):
    smoother = new_smoother(new_simulator().url)
    ids = {smoother.submit(f"Job {n}. [[sim out=1]]").json()["id"] for n in range(25)}
    for job_id in ids:
        smoother.until_ended(job_id)
    seen, cursor = [], ""
    while cursor is not None:
        page = smoother.get(f"/v1/jobs?limit=10{f'&cursor={cursor}' if cursor else ''}").json()
        seen += [job["id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
    assert len(seen) == 25 and set(seen) == ids
    none = smoother.get("/v1/jobs?status=FAILED").json()
    assert none["jobs"] == []


def test_lanes_show_quota_and_what_waits(new_simulator, new_smoother):
    smoother = new_smoother(new_simulator().url, lanes=NARROW)
    smoother.submit("Running. [[sim latency_ms=60000]]")
    smoother.submit("Waiting.", {"x-smoother-priority": "batch"})
    lane = smoother.until(
        lambda: next((lane for lane in smoother.get("/v1/lanes").json()["lanes"] if "1" in waiting(lane)), None),
        "a waiting job in /v1/lanes",
    )
    assert json.dumps(lane).find("narrow") >= 0


def waiting(lane: dict) -> str:
    return json.dumps(lane["waiting"])
