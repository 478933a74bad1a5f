"""More than may wait, or than can be served in time: told at the door, by what the lane's holder last reported."""

import time
from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import ClientError
from cloud.lanes import NARROW
from cloud.town import Town
from house.http import Answer
from house.models import converse_body
from house.simulator import Simulator

pytestmark = pytest.mark.pipeline

# A process that has read a lane's report serves it for a second: who hears the same for longer hears it of all.
REPORT_SERVES_FOR = 1.1

BOUNDS = """
[limits]
waiting = 11
shed = true
admission = "flag"

[tenants.default]
max_waiting = 8
"""


def post(town: Town, prompt: str, headers: dict[str, str] | None = None, **fields) -> Answer:
    return town.ask("POST", "/v1/jobs", {"model": NARROW, "prompt": prompt, "max_tokens": 64, **fields}, headers)


def until_waiting(town: Town, count: int) -> None:
    """Until the lane's holder has told that so many wait, and everybody who asks hears it."""
    since, lane = float("inf"), {}

    def told() -> bool:
        nonlocal since, lane
        lane = town.lane("narrow")
        waiting = sum(band["requests"] for band in lane["waiting"].values())
        now = time.monotonic()
        since = min(since, now) if waiting == count else float("inf")
        return now - since > REPORT_SERVES_FOR

    try:
        town.until(told, f"{count} to wait")
    except TimeoutError as error:
        raise AssertionError(f"the lane was last told as {lane}") from error


@pytest.fixture
def occupy(town: Town, simulator: Simulator) -> Iterator[Callable[..., str]]:
    """Has the lane's one call under way for as long as the test lasts, and no longer, however it ends."""
    jobs = []

    def occupy(mark: str, priority: str = "normal") -> str:
        runs = post(town, f"Runs. [[sim out=5 latency_ms=600000 id={mark}]]", priority=priority)
        jobs.append(runs.json()["id"])
        town.until(lambda: simulator.calls_of(mark), "the call")
        return jobs[-1]

    yield occupy
    for job_id in jobs:
        town.ask("DELETE", f"/v1/jobs/{job_id}")


def warm_up(town: Town) -> None:
    """Has the lane know that its calls take long: longer than a report is old by which somebody is called too late."""
    job = post(town, "Warms up. [[sim out=5 latency_ms=8000]]").json()["id"]
    # A deployment ends the emulator's functions as a crash would: their leases have to run out.
    town.until_told([job])


def cancel(town: Town, jobs: list[str]) -> None:
    for job_id in jobs:
        town.ask("DELETE", f"/v1/jobs/{job_id}")
    town.until_told(jobs)


def test_whoever_cannot_be_in_time_is_refused_with_the_wait(town: Town, occupy: Callable):
    warm_up(town)
    runs = occupy("narrow-runs")
    backlog = [town.submit(NARROW, f"Waits {n}. [[sim out=5]]") for n in range(12)]
    until_waiting(town, 12)

    refused = post(town, "In time?", {"x-smoother-max-wait-ms": "500"})
    assert refused.status == 429, refused
    problem = refused.json()
    assert problem["type"] == "urn:bedrock-smoother:problem:too-late"
    assert problem["limit"] == {"name": "max_wait_ms", "value": 500}
    assert problem["retry_after"] == int(refused.headers["retry-after"]) >= 1
    with_time = post(town, "With time.", {"x-smoother-max-wait-ms": "600000"})
    assert with_time.status == 202, with_time
    cancel(town, [runs, *backlog, with_time.json()["id"]])


def test_bounds_hold_tenants_and_lanes_and_a_higher_priority_finds_room(
    town: Town, redeploy: Callable, occupy: Callable
):
    redeploy(extra=BOUNDS)
    warm_up(town)
    runs = occupy("narrow-bounded", priority="batch")
    batch = [post(town, f"Batch {n}. [[sim out=5]]", priority="batch").json()["id"] for n in range(7)]
    until_waiting(town, 7)

    # What comes too late is let in and told.
    flagged = post(town, "In time?", {"x-smoother-max-wait-ms": "1"}, priority="batch")
    assert flagged.status == 202 and flagged.json()["will_miss"] == "max_wait_ms", flagged
    expired = flagged.json()["id"]
    assert town.until_told([expired])[expired]["job"]["status"] == "EXPIRED"
    batch.append(post(town, "Batch. [[sim out=5]]", priority="batch").json()["id"])
    until_waiting(town, 8)

    # The tenant's own bound, in each door's own words.
    refused = post(town, "One more.", priority="batch")
    assert refused.status == 429, refused
    problem = refused.json()
    assert problem["type"] == "urn:bedrock-smoother:problem:too-much-waiting"
    assert problem["limit"] == {"name": "tenants.*.max_waiting", "value": 8}
    assert "tenants.default.max_waiting is 8" in problem["detail"]
    with pytest.raises(ClientError) as caught:
        town.bedrock().converse(modelId=NARROW, requestMetadata={"priority": "batch"}, **converse_body("Now."))
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("ThrottlingException", 429)
    assert "tenants.default.max_waiting is 8" in answer["Error"]["Message"]

    # Others have their own room.
    others = [({"model": NARROW, "prompt": f"Other {n}. [[sim out=5]]", "max_tokens": 16}, {"Tenant": "other"}) for n in range(3)]
    town.send(others)
    until_waiting(town, 11)

    # Tenant and lane are full, and one of its own of a lower priority makes room.
    urgent = post(town, "Urgent. [[sim out=5]]", priority="interactive")
    assert urgent.status == 202, urgent
    shed = town.until_told([batch[-1]])[batch[-1]]["job"]
    assert (shed["status"], shed["error"]["status"], shed["calls_made"]) == ("FAILED", 429, 0)
    assert "has made room for one of priority interactive" in shed["error"]["message"]
    assert shed["dead_letter"]

    town.ask("DELETE", f"/v1/jobs/{runs}")
    told = town.until_told([urgent.json()["id"], *batch[:-1]])
    assert {event["job"]["status"] for event in told.values()} == {"COMPLETED"}, "one made room, and no more"
    theirs = lambda: [e["job"] for e in town.results.jobs().values() if e["job"]["tenant"] == "other"]  # noqa: E731
    town.until(lambda: len(theirs()) == 3, "the others")
    assert {job["status"] for job in theirs()} == {"COMPLETED"}
