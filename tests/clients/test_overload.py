"""More than may wait: who comes beyond it is told so at the door, and nobody who is in is refused."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from house import models

# One call at a time, and the first has no end: it holds the lane until the test cancels it.
ENDLESS = "Runs. [[sim fault=hang]]"
ONE_AT_A_TIME = {"small": {"max_concurrency": 1}}


def impatient(url: str):
    """An SDK without retries: the test wants the first answer."""
    return boto3.client("bedrock-runtime", endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))


def test_beyond_the_bound_boto3_is_throttled_and_a_job_gets_a_problem(new_simulator, new_smoother):
    smoother = new_smoother(
        new_simulator().url,
        lanes=ONE_AT_A_TIME,
        extra="[limits]\nwaiting = 2\nbatch_waiting = 1\n",
    )
    first = smoother.submit(ENDLESS).json()["id"]
    smoother.until(lambda: smoother.job(first)["status"] == "PROCESSING", "the first to run")
    key = {"idempotency-key": "waits"}
    waits = smoother.submit("Waits.", key, priority="batch")
    assert waits.status == 202

    refused = smoother.submit("Batch.", priority="batch")
    assert refused.status == 429, refused.body
    problem = refused.json()
    assert problem["type"] == "urn:bedrock-smoother:problem:too-much-waiting"
    assert problem["limit"] == {"name": "limits.batch_waiting", "value": 1}
    assert problem["retry_after"] == int(refused.headers["retry-after"]) >= 1
    assert "1 requests of priority batch wait for lane small" in problem["detail"]
    # The same key and body is the same job, however much waits.
    assert smoother.submit("Waits.", key, priority="batch").json()["id"] == waits.json()["id"]

    assert smoother.submit("Waits too.").status == 202
    with pytest.raises(ClientError) as caught:
        impatient(smoother.url).converse(modelId=models.CLAUDE, **models.converse_body("Now."))
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("ThrottlingException", 429)
    assert "limits.waiting is 2" in answer["Error"]["Message"]
    assert int(answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) >= 1
    refusals = 'smoother_requests_refused_total{reason="too-much-waiting"} 2'
    assert refusals in smoother.get("/metrics").body.decode()

    # Whoever comes back when there is room gets its answer.
    assert smoother.delete(f"/v1/jobs/{first}").status in (200, 202)
    smoother.until(lambda: smoother.converse("Now.").status == 200, "room for one more")


def test_what_makes_room_fails_and_says_for_what(new_simulator, new_smoother):
    limits = "[limits]\nwaiting = 2\nshed = true\n"
    smoother = new_smoother(new_simulator().url, lanes=ONE_AT_A_TIME, extra=limits)
    runs = smoother.submit(ENDLESS, priority="batch").json()["id"]
    smoother.until(lambda: smoother.job(runs)["status"] == "PROCESSING", "the first to run")
    first, last = (smoother.submit(f"Batch {n}.", priority="batch").json()["id"] for n in range(2))
    assert smoother.submit("Batch.", priority="batch").status == 429, "nobody goes for one of its own priority"

    assert smoother.submit("Now.", priority="interactive").status == 202
    shed = smoother.until_ended(last)
    assert (shed["status"], shed["error"]["status"], shed["calls_made"]) == ("FAILED", 429, 0)
    assert "has made room for one of priority interactive" in shed["error"]["message"]
    assert shed["dead_letter"]
    assert smoother.delete(f"/v1/jobs/{runs}").status in (200, 202)
    assert [smoother.until_ended(job)["status"] for job in (runs, first)] == ["CANCELLED", "COMPLETED"]
    metrics = smoother.get("/metrics").body.decode()
    assert 'smoother_requests_shed_total{lane="small"} 1' in metrics
    assert 'smoother_start_error_seconds_count{lane="small",priority="batch",side=' in metrics


def test_whoever_cannot_be_in_time_is_told_before_it_waits(new_simulator, new_smoother):
    simulator = new_simulator({"latency": {"base_ms": 300}})
    smoother = new_smoother(simulator.url, lanes={"small": {"max_concurrency": 1}})
    for n in range(20):
        smoother.submit(f"Warms up {n}.")
    smoother.until(lambda: 'side="' in smoother.get("/metrics").body.decode(), "a call to start")
    smoother.until(lambda: smoother.get("/v1/jobs?status=QUEUED").json()["jobs"] == [], "all to have gone")
    backlog = [smoother.submit(f"Waits {n}.").json() for n in range(120)]
    assert backlog[-1]["estimated_position"] > 100

    refused = smoother.submit("In time?", {"x-smoother-max-wait-ms": "500"})
    assert refused.status == 429, refused.body
    problem = refused.json()
    assert problem["type"] == "urn:bedrock-smoother:problem:too-late"
    assert problem["limit"] == {"name": "max_wait_ms", "value": 500}
    assert smoother.submit("With time.", {"x-smoother-max-wait-ms": "600000"}).status == 202
