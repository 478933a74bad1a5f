"""A request that its lane cannot serve goes on in the next one, and says where it has been."""

import json
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from house import models, sdk
from house.upstream import EAST, WEST, faults, lane, ready_made, two_regions


def one_attempt(url: str):
    """boto3 without retries: the first answer counts. With a pool for the threads of a test."""
    options = Config(retries={"total_max_attempts": 1}, max_pool_connections=64)
    return boto3.client("bedrock-runtime", endpoint_url=url, config=options)


def headers_of(answer: dict) -> dict:
    return answer["ResponseMetadata"]["HTTPHeaders"]


def job_of(smoother, headers: dict) -> dict:
    return smoother.job(headers["x-smoother-job-id"])


@pytest.mark.parametrize("streams", [False, True], ids=["converse", "converse-stream"])
def test_another_region_takes_over_when_the_first_is_out(new_simulator, new_smoother, streams):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=two_regions({"breaker_open_ms": 60_000}))
    simulator.play(ready_made("region-out"))
    client = one_attempt(smoother.url)

    def call(n: int) -> dict:
        request = {"modelId": models.CLAUDE, **models.converse_body(f"Hello {n}. [[sim out=7]]")}
        if not streams:
            answer = client.converse(**request)
            assert answer["usage"]["outputTokens"] == 7
            return headers_of(answer)
        answer = client.converse_stream(**request)
        assert list(answer["stream"])[-1]["metadata"]["usage"]["outputTokens"] == 7
        return headers_of(answer)

    with ThreadPoolExecutor(40) as pool:
        found = list(pool.map(call, range(40)))
    assert {headers["x-smoother-model"] for headers in found} == {models.CLAUDE}
    for job in (job_of(smoother, headers) for headers in found):
        assert job["status"] == "COMPLETED"
        assert job["served_by"] == {"lane": "west", "model": models.CLAUDE}
        assert [(hop["from"], hop["model"]) for hop in job["hops"]] == [("east", models.CLAUDE)]
        assert job["hops"][0]["cause"] in ("unavailable", "cut", "breaker_open")
        assert "degraded" not in job
        assert [call["lane"] for call in job["calls"]][-1] == "west"

    # By now the east's breaker is open: whoever comes goes to the west without a call in the east.
    assert lane(smoother, "east")["breaker"]["state"] == "open"
    before = simulator.calls_in(EAST)
    job = job_of(smoother, call(40))
    assert [hop["cause"] for hop in job["hops"]] == ["breaker_open"]
    assert [call["lane"] for call in job["calls"]] == ["west"]
    assert simulator.calls_in(EAST) == before
    assert lane(smoother, "east")["sent_on"] >= 1


def test_a_fallback_may_be_another_model(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(
        simulator.url,
        lanes={
            "large": {"models": [models.CLAUDE, models.CLAUDE_OLD], "fallback": ["small"], "max_tries": 1},
            "small": {
                "models": [models.TITAN, models.NOVA],
                "call_model": models.NOVA,
                "region": WEST,
                "standby": True,
            },
        },
    )
    simulator.play(faults({"500": 1}, [EAST]))
    answer = one_attempt(smoother.url).converse(
        modelId=models.CLAUDE, **models.converse_body("Hello. [[sim out=5 id=other]]")
    )
    assert answer["usage"]["outputTokens"] == 5
    assert headers_of(answer)["x-smoother-model"] == models.NOVA
    job = job_of(smoother, headers_of(answer))
    assert job["model"] == models.CLAUDE, "what was asked for"
    assert job["served_by"] == {"lane": "small", "model": models.NOVA}
    assert [(hop["from"], hop["cause"]) for hop in job["hops"]] == [("large", "internal")]
    assert [call["model"] for call in simulator.calls_of("other")] == [models.CLAUDE, models.NOVA]

    # InvokeModel's body is its model's own: Anthropic's is not sent to Nova, and the error is Bedrock's.
    with pytest.raises(ClientError) as caught:
        one_attempt(smoother.url).invoke_model(
            modelId=models.CLAUDE, body=json.dumps(models.invoke_body(models.CLAUDE, "Hi. [[sim id=own]]"))
        )
    assert caught.value.response["Error"]["Code"] == "InternalServerException"
    assert {call["region"] for call in simulator.calls_of("own")} == {EAST}


def test_a_stream_names_the_model_that_serves_it(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(
        simulator.url,
        lanes=two_regions(
            {"max_tries": 1}, {"models": [models.CLAUDE_OLD], "call_model": models.CLAUDE_OLD}
        ),
    )
    simulator.play(faults({"500": 1}, [EAST]))
    answer = one_attempt(smoother.url).converse_stream(
        modelId=models.CLAUDE, **models.converse_body("Hello. [[sim out=6]]")
    )
    assert headers_of(answer)["x-smoother-model"] == models.CLAUDE_OLD
    assert list(answer["stream"])[-1]["metadata"]["usage"]["outputTokens"] == 6


@pytest.mark.parametrize(("fault", "cause"), [("403", "access_denied"), ("404", "not_found")])
def test_no_access_and_no_such_model_fall_back_at_once(new_simulator, new_smoother, fault, cause):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=two_regions())
    simulator.play(faults({fault: 1}, [EAST]))
    answer = one_attempt(smoother.url).converse(
        modelId=models.CLAUDE, **models.converse_body("Hello. [[sim out=4 id=denied]]")
    )
    assert answer["usage"]["outputTokens"] == 4
    job = job_of(smoother, headers_of(answer))
    assert [hop["cause"] for hop in job["hops"]] == [cause]
    assert job["served_by"]["lane"] == "west"
    assert [call["region"] for call in simulator.calls_of("denied")] == [EAST, WEST]


def test_a_requests_own_fault_never_falls_back(new_simulator, new_smoother):
    simulator = new_simulator()
    lanes = two_regions({"degraded_answer": "Later."})
    smoother = new_smoother(simulator.url, lanes=lanes)
    simulator.play(faults({"400": 1}, [EAST]))
    with pytest.raises(ClientError) as caught:
        one_attempt(smoother.url).converse(
            modelId=models.CLAUDE, **models.converse_body("Hello. [[sim id=wrong]]")
        )
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert [call["region"] for call in simulator.calls_of("wrong")] == [EAST]
    job = job_of(smoother, headers_of(caught.value.response))
    assert job["status"] == "FAILED" and "hops" not in job and "served_by" not in job


def test_a_caller_chooses_its_own_fallback_or_none(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=two_regions())
    simulator.play(faults({"403": 1}, [EAST]))
    refused = smoother.converse("Hello. [[sim id=none]]", headers={"x-smoother-fallback": "none"})
    assert refused.status == 403
    job = smoother.until_ended(smoother.submit("Hello. [[sim id=none]]", fallback=[]).json()["id"])
    assert job["status"] == "FAILED"
    assert {call["region"] for call in simulator.calls_of("none")} == {EAST}
    served = smoother.converse("Hello.", headers={"x-smoother-fallback": "west"})
    assert served.status == 200


def test_one_deadline_covers_all_calls_and_lanes(new_simulator, new_smoother):
    # The east hangs and is given up after a second; the west hangs too, and is not given the time anew.
    simulator = new_simulator()
    smoother = new_smoother(
        simulator.url, lanes=two_regions({"call_timeout_ms": 1_000, "max_tries": 1}, {"call_timeout_ms": 60_000})
    )
    simulator.play(faults({"hang": 1}))
    answer = smoother.converse("Hello. [[sim id=late]]", headers={"x-smoother-timeout-ms": "2500"})
    assert answer.status >= 400
    job = smoother.until_ended(answer.headers["x-smoother-job-id"])
    assert job["status"] == "EXPIRED"
    assert [hop["cause"] for hop in job["hops"]] == ["stalled"]
    east, west = simulator.calls_of("late")
    assert (east["region"], west["region"]) == (EAST, WEST)
    # From the first call on, by the simulator's clock: the second ended when what was left of 2.5 s was over.
    assert west["end_ms"] - east["arrival_ms"] < 10_000


def test_retries_end_with_the_deadline(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes={"east": {"models": [models.CLAUDE], "max_tries": 100}})
    simulator.play(faults({"500": 1}))
    job = smoother.submit("Hello. [[sim id=tried]]", timeout_ms=4_000).json()
    ended = smoother.until_ended(job["id"])
    assert ended["status"] in ("FAILED", "EXPIRED")
    assert ended["ended_at"] <= ended["deadline"] or ended["status"] == "EXPIRED"
    assert len(simulator.calls_of("tried")) >= 2
