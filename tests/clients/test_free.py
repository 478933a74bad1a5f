"""CountTokens and ApplyGuardrail cost no tokens of a lane: passed on at once, neither queued nor stored."""

import base64
import json

import pytest
from botocore.exceptions import ClientError

from house import models, sdk
from house.compare import settled

PROMPT = "Name three rivers."
GUARDED = {"guardrailIdentifier": "gr-1", "guardrailVersion": "DRAFT", "source": "INPUT"}


def count(client, **more):
    body = models.converse_body(PROMPT)
    return client.count_tokens(modelId=models.CLAUDE, input={"converse": {"messages": body["messages"]}}, **more)


def count_invoke(client):
    body = json.dumps(models.invoke_body(models.CLAUDE, PROMPT)).encode()
    return client.count_tokens(modelId=models.CLAUDE, input={"invokeModel": {"body": body}})


def guard(client):
    return client.apply_guardrail(**GUARDED, content=[{"text": {"text": PROMPT}}])


@pytest.mark.parametrize("call", [count, count_invoke, guard])
def test_boto3_is_answered_as_by_bedrock_and_nothing_is_stored(new_simulator, new_smoother, call):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url)
    expected = call(sdk.bedrock(simulator.url))
    assert settled(call(sdk.bedrock(smoother.url))) == settled(expected)
    assert smoother.get("/v1/jobs").json()["jobs"] == []


def test_a_foundation_model_is_counted_in_the_lane_of_its_profile(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes={"us": {"models": ["us.anthropic.claude-x-v1:0"]}})
    body = models.converse_body(PROMPT)
    sent = {"modelId": "anthropic.claude-x-v1:0", "input": {"converse": {"messages": body["messages"]}}}
    direct = sdk.bedrock(simulator.url).count_tokens(**sent)
    assert sdk.bedrock(smoother.url).count_tokens(**sent)["inputTokens"] == direct["inputTokens"]
    with pytest.raises(ClientError) as refused:
        sdk.bedrock(smoother.url).count_tokens(**{**sent, "modelId": "anthropic.claude-y-v1:0"})
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_a_full_lane_does_not_hold_them_up(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes={"narrow": {"max_concurrency": 1}})
    for number in range(3):
        smoother.submit(f"Job {number}. [[sim out=2 latency_ms=60000]]")
    smoother.until(lambda: simulator.stats()["in_flight"] == 1, "a call upstream")
    client = sdk.bedrock(smoother.url)
    assert count(client)["inputTokens"] > 0
    assert guard(client)["action"] == "NONE"


def test_bedrocks_own_errors_come_through(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url)
    path = "/guardrail/gr-1/version/DRAFT/apply"
    bad = {"source": "SIDEWAYS", "content": []}
    answer = smoother.post(path, bad)
    assert answer.status == 400
    assert answer.headers["x-amzn-errortype"].startswith("ValidationException")
    assert "SIDEWAYS" in answer.json()["message"]
    encoded = base64.b64encode(b"[]").decode()
    answer = smoother.post(f"/model/{models.CLAUDE}/count-tokens", {"input": {"invokeModel": {"body": encoded}}})
    assert answer.status == 400 and answer.headers["x-amzn-errortype"].startswith("ValidationException")
