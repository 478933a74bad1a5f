"""Workers that die, upstreams that fail, connections that are gone."""

import json
import os
import signal
from pathlib import Path

import pytest
from cloud.lanes import MORTAL, NARROW, ROOMY, SHAKY
from cloud.town import Town
from house.simulator import Simulator

pytestmark = pytest.mark.pipeline


def functions(town: Town, role: str) -> list[int]:
    """The processes of a function, by their pids: children of the emulator that run as this role."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            environment = (folder / "environ").read_bytes().split(b"\0")
        except (OSError, IndexError, ValueError):
            continue
        if parent == town.deployment.emulator.pid and f"_HANDLER={role}".encode() in environment:
            found.append(int(folder.name))
    return found


def test_a_worker_that_dies_in_mid_call_leaves_no_job_behind(town: Town, simulator: Simulator):
    job_id = town.submit(MORTAL, "Hello. [[sim out=5 latency_ms=3500 id=mortal]]")
    town.until(lambda: simulator.calls_of("mortal"), "the call")
    victims = functions(town, "worker")
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    ended = town.until_told([job_id])[job_id]["job"]
    assert ended["status"] == "COMPLETED"
    calls = town.job(job_id)["calls"]
    assert [call["number"] for call in calls] == list(range(1, len(calls) + 1))
    assert calls[0]["ending"] == "INDETERMINATE", calls
    assert len(simulator.calls_of("mortal")) == len(calls) == 2


def test_the_breaker_opens_and_requests_go_on_in_the_next_lane(town: Town, simulator: Simulator):
    simulator.play(f'[[spans]]\nname = "broken"\nmodels = ["{SHAKY}"]\nregions = ["us-east-1"]\nfaults = {{ 500 = 1 }}\n')
    ids = [town.submit(SHAKY, f"Hello {n}. [[sim out=5]]") for n in range(20)]
    told = town.until_told(ids)
    simulator.silence()
    assert {event["job"]["status"] for event in told.values()} == {"COMPLETED"}
    assert {event["job"]["served_by"]["lane"] for event in told.values()} == {"spare"}

    def has_opened() -> bool:
        lanes = {lane["lane"]: lane for lane in town.ask("GET", "/v1/lanes").json()["lanes"]}
        return lanes["shaky"]["breaker"]["opened"] >= 1

    # A holder tells every few seconds how its lane stands.
    town.until(has_opened, "the breaker's opening in /v1/lanes")


def test_a_connection_that_is_gone_takes_nothing_with_it(town: Town):
    with town.connect() as socket:
        job = {"model": ROOMY, "prompt": "Hello. [[sim out=5 latency_ms=1500]]", "max_tokens": 16}
        socket.send(json.dumps({"action": "submit", "ref": "a", "job": job}))
        job_id = json.loads(socket.recv(timeout=60))["job"]["id"]
    assert town.until_told([job_id])[job_id]["job"]["status"] == "COMPLETED"
    assert town.ask("GET", f"/v1/jobs/{job_id}/result").status == 200


def test_the_same_key_twice_is_one_job(town: Town):
    jobs = {
        town.submit(ROOMY, "Hello. [[sim out=5]]", {"idempotency-key": "once"}) for _ in range(3)
    }
    assert len(jobs) == 1
    other = {"model": ROOMY, "prompt": "Another body.", "max_tokens": 16}
    assert town.ask("POST", "/v1/jobs", other, {"idempotency-key": "once"}).status == 409


def test_cancelling_a_waiting_job_ends_it(town: Town):
    job_id = town.submit(ROOMY, "Hello. [[sim out=5 latency_ms=4000]]")
    assert town.ask("DELETE", f"/v1/jobs/{job_id}").status in (200, 202)
    assert town.until_told([job_id])[job_id]["job"]["status"] == "CANCELLED"


def test_cancelling_a_running_job_stops_its_call_and_frees_what_it_held(town: Town, simulator: Simulator):
    job_id = town.submit(NARROW, "Long. [[sim out=5 latency_ms=600000 id=called-off]]")
    town.until(lambda: simulator.calls_of("called-off"), "the call")
    town.until_is("PROCESSING", job_id)
    answer = town.ask("DELETE", f"/v1/jobs/{job_id}")
    assert answer.status == 200 and answer.json()["status"] == "CANCELLED", answer
    assert town.until_told([job_id])[job_id]["job"]["status"] == "CANCELLED"

    def settled() -> list[dict]:
        return [call for call in town.job(job_id)["calls"] if call.get("ending")]

    # Long before the model would have answered.
    [call] = town.until(settled, "the call's end")
    assert call["ending"] == "ABORTED" and call["charged_tokens"] > 0, call
    # One call at a time: the next one goes because the first holds nothing any more.
    after = town.submit(NARROW, "Next. [[sim out=5]]")
    assert town.until_told([after])[after]["job"]["status"] == "COMPLETED"
    assert town.job(job_id)["status"] == "CANCELLED", "it stays as it ended"
    assert town.ask("GET", f"/v1/jobs/{job_id}/result").status != 200
    again = town.ask("DELETE", f"/v1/jobs/{job_id}")
    assert (again.status, again.json()["status"]) == (200, "CANCELLED")
    assert len(simulator.calls_of("called-off")) == 1
