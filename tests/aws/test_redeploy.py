"""Another configuration is deployed while requests wait: nothing of theirs is lost."""

from collections.abc import Callable

import pytest
from cloud.lanes import COMING, LEAVING
from cloud.town import Town
from house.simulator import Simulator

pytestmark = pytest.mark.pipeline

ONWARD, ALONE = 3, 4
# Of each lane.
ONE_CALL_AT_A_TIME = "[tenants.default]\nmax_concurrency = 1\n"


def test_a_lane_that_is_taken_out_loses_nobody_who_waits_in_it(
    town: Town, redeploy: Callable, simulator: Simulator
):
    redeploy(extra=ONE_CALL_AT_A_TIME)
    # Its tenant's one call, for longer than the test lasts.
    town.submit(LEAVING, "Runs. [[sim out=5 latency_ms=600000 id=leaving-runs]]")
    town.until(lambda: simulator.calls_of("leaving-runs"), "the call")
    onward = [town.submit(LEAVING, f"Onward {n}. [[sim out=5 id=onward-{n}]]", fallback=["roomy"]) for n in range(ONWARD)]
    alone = [town.submit(LEAVING, f"Alone {n}. [[sim out=5 id=alone-{n}]]") for n in range(ALONE)]
    town.until(lambda: town.lane("leaving")["waiting"]["normal"]["requests"] == ONWARD + ALONE, "all to wait")
    redeploy(without=("leaving",), more={"coming": {"models": [COMING]}}, extra=ONE_CALL_AT_A_TIME)

    # The new lane serves at once, and the old one takes nothing in any more.
    new = town.submit(COMING, "New. [[sim out=5]]")
    assert town.until_told([new])[new]["job"]["served_by"]["lane"] == "coming"
    refused = town.ask("POST", "/v1/jobs", {"model": LEAVING, "prompt": "Too late.", "max_tokens": 16})
    assert refused.status == 400 and LEAVING in refused.json()["detail"], refused
    assert "leaving" not in {lane["lane"] for lane in town.ask("GET", "/v1/lanes").json()["lanes"]}

    # Who has somewhere to go has gone there; who has not is a letter that names the lane.
    told = town.until_told(onward + alone)
    jobs = {job_id: event["job"] for job_id, event in told.items()}
    assert [(jobs[one]["status"], jobs[one]["served_by"]["lane"]) for one in onward] == [("COMPLETED", "roomy")] * ONWARD
    for one in alone:
        job = jobs[one]
        assert (job["status"], job["dead_letter"], job["calls_made"]) == ("FAILED", True, 0), job
        assert "leaving" in job["error"]["message"], job
    assert [len(simulator.calls_of(f"onward-{n}")) for n in range(ONWARD)] == [1] * ONWARD
    assert [len(simulator.calls_of(f"alone-{n}")) for n in range(ALONE)] == [0] * ALONE
    refused = town.ask("POST", f"/v1/dlq/{alone[0]}/redrive")
    assert refused.status == 409 and "leaving" in refused.json()["detail"], refused

    # Configured again, it serves them.
    redeploy()
    redriven = town.ask("POST", "/v1/dlq/redrive", {"lane": "leaving", "limit": 10}).json()
    assert (redriven["redriven"], redriven["refused"]) == (ALONE, []), redriven
    for one in alone:
        town.until_is("COMPLETED", one)
    assert [len(simulator.calls_of(f"alone-{n}")) for n in range(ALONE)] == [1] * ALONE
