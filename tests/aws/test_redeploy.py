"""Another configuration is deployed while requests wait: nothing of theirs is lost."""

from collections import Counter
from collections.abc import Callable

import pytest
from cloud.lanes import CAPPED, COMING, LEAVING
from cloud.town import Town
from house.simulator import Simulator

pytestmark = pytest.mark.pipeline

ONWARD, ALONE = 3, 4


def job(prompt: str, **fields) -> tuple[dict, dict[str, str]]:
    return {"model": LEAVING, "prompt": prompt, "max_tokens": 16, **fields}, {"Tenant": CAPPED}


def test_a_lane_that_is_taken_out_loses_nobody_who_waits_in_it(
    town: Town, redeploy: Callable, simulator: Simulator
):
    # Its tenant's one call, for longer than the test lasts.
    town.send([job("Runs. [[sim out=5 latency_ms=600000 id=leaving-runs]]")])
    town.until(lambda: simulator.calls_of("leaving-runs"), "the call")
    town.send(job(f"Onward {n}. [[sim out=5 id=onward-{n}]]", fallback=["roomy"]) for n in range(ONWARD))
    town.send(job(f"Alone {n}. [[sim out=5 id=alone-{n}]]") for n in range(ALONE))
    town.until(lambda: town.lane("leaving")["waiting"]["normal"]["requests"] == ONWARD + ALONE, "all to wait")
    redeploy(without=("leaving",), more={"coming": {"models": [COMING]}})

    # The new lane serves at once, and the old one takes nothing in any more.
    new = town.submit(COMING, "New. [[sim out=5]]")
    assert town.until_told([new])[new]["job"]["served_by"]["lane"] == "coming"
    refused = town.ask("POST", "/v1/jobs", {"model": LEAVING, "prompt": "Too late.", "max_tokens": 16})
    assert refused.status == 400 and LEAVING in refused.json()["detail"], refused
    assert "leaving" not in {lane["lane"] for lane in town.ask("GET", "/v1/lanes").json()["lanes"]}

    # Who has somewhere to go has gone there; who has not is a letter that names the lane.
    ended = lambda: [e["job"] for e in town.results.jobs().values() if e["job"]["tenant"] == CAPPED]  # noqa: E731
    town.until(lambda: len(ended()) == ONWARD + ALONE, "all to have left", seconds=240)
    assert Counter(one["status"] for one in ended()) == {"COMPLETED": ONWARD, "FAILED": ALONE}
    letters = [one for one in ended() if one["status"] == "FAILED"]
    assert {one["served_by"]["lane"] for one in ended() if one not in letters} == {"roomy"}
    for one in letters:
        assert (one["dead_letter"], one["calls_made"]) == (True, 0), one
        assert "leaving" in one["error"]["message"], one
    assert [len(simulator.calls_of(f"onward-{n}")) for n in range(ONWARD)] == [1] * ONWARD
    assert [len(simulator.calls_of(f"alone-{n}")) for n in range(ALONE)] == [0] * ALONE
    refused = town.ask("POST", f"/v1/dlq/{letters[0]['id']}/redrive")
    assert refused.status == 409 and "leaving" in refused.json()["detail"], refused

    # Configured again, without the cap on its tenant, it serves them.
    redeploy(capped=False)
    redriven = town.ask("POST", "/v1/dlq/redrive", {"lane": "leaving", "limit": 10}).json()
    assert (redriven["redriven"], redriven["refused"]) == (ALONE, []), redriven
    served = lambda: Counter(one["status"] for one in ended()) == {"COMPLETED": ONWARD + ALONE}  # noqa: E731
    town.until(served, "the letters to be served", seconds=180)
    assert [len(simulator.calls_of(f"alone-{n}")) for n in range(ALONE)] == [1] * ALONE
