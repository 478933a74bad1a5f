"""boto3: the four operations, answered through the smoother exactly as the simulator answers them directly."""

import json

import boto3
import pytest

from house import models, sdk
from house.compare import own_headers, settled

FAMILIES = [models.CLAUDE, models.CLAUDE_OLD, models.NOVA, models.TITAN, models.LLAMA]
PROMPT = "Name three rivers. [[sim out=40]]"


@pytest.fixture(scope="module")
def clients(simulator, smoother):
    """The same client twice: straight to the simulator, and through the smoother."""
    return sdk.bedrock(simulator.url), sdk.bedrock(smoother.url)


def converse(client, model, **more):
    return client.converse(modelId=model, **models.converse_body(PROMPT), **more)


def converse_stream(client, model):
    answer = client.converse_stream(modelId=model, **models.converse_body(PROMPT))
    return {**answer, "stream": list(answer["stream"])}


def invoke(client, model):
    answer = client.invoke_model(modelId=model, body=json.dumps(models.invoke_body(model, PROMPT)))
    return {**answer, "body": json.loads(answer["body"].read())}


def invoke_stream(client, model):
    answer = client.invoke_model_with_response_stream(
        modelId=model, body=json.dumps(models.invoke_body(model, PROMPT))
    )
    return {**answer, "body": [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]}


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("call", [converse, converse_stream, invoke, invoke_stream])
def test_answers_are_the_same_field_by_field(clients, call, model):
    direct, through = clients
    expected, found = call(direct, model), call(through, model)
    assert settled(found) == settled(expected)


@pytest.mark.parametrize("call", [converse, converse_stream, invoke, invoke_stream])
def test_headers_tell_what_the_smoother_did(clients, call):
    headers = own_headers(call(clients[1], models.CLAUDE)["ResponseMetadata"]["HTTPHeaders"])
    assert set(headers) == {"x-smoother-job-id", "x-smoother-queue-ms", "x-smoother-calls", "x-smoother-model"}
    assert headers["x-smoother-calls"] == "1"
    assert headers["x-smoother-model"] == models.CLAUDE
    assert int(headers["x-smoother-queue-ms"]) < 5_000


def test_an_answer_carries_its_text_and_usage(clients):
    answer = converse(clients[1], models.CLAUDE)
    assert answer["output"]["message"]["content"][0]["text"]
    assert answer["usage"]["outputTokens"] == 40
    assert answer["stopReason"] == "end_turn"


def test_a_stream_ends_with_its_usage(clients):
    events = converse_stream(clients[1], models.CLAUDE)["stream"]
    assert "messageStart" in events[0]
    assert any("contentBlockDelta" in event for event in events)
    assert "messageStop" in events[-2]
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 40


def test_an_answer_cut_at_max_tokens_says_so(clients):
    answer = clients[1].converse(
        modelId=models.CLAUDE,
        messages=[{"role": "user", "content": [{"text": "A long one. [[sim out=500]]"}]}],
        inferenceConfig={"maxTokens": 16},
    )
    assert (answer["stopReason"], answer["usage"]["outputTokens"]) == ("max_tokens", 16)


def test_rich_converse_fields_reach_the_model_untouched(clients):
    """Tools, system prompts, images and extra fields: what the smoother does not read it must not lose."""
    request = {
        "modelId": models.CLAUDE,
        "system": [{"text": "Be brief."}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"text": "What is this? [[sim out=20 tool=1]]"},
                    {"image": {"format": "png", "source": {"bytes": b"\x89PNG\r\n\x1a\n" + bytes(64)}}},
                ],
            }
        ],
        "inferenceConfig": {"maxTokens": 64, "temperature": 0.2, "stopSequences": ["END"]},
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object", "properties": {}}}}}
            ]
        },
        "additionalModelRequestFields": {"top_k": 5},
        "requestMetadata": {"priority": "interactive"},
    }
    direct, through = (client.converse(**request) for client in clients)
    assert through["stopReason"] == "tool_use"
    assert settled(through) == settled(direct)


def test_the_endpoint_from_the_environment_is_the_only_change(smoother, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", smoother.url)
    answer = converse(boto3.client("bedrock-runtime"), models.CLAUDE)
    assert own_headers(answer["ResponseMetadata"]["HTTPHeaders"])


def test_a_model_arn_and_a_percent_encoded_id_lead_to_the_same_lane(smoother):
    body = models.converse_body("Hello.")
    encoded = models.CLAUDE.replace(":", "%3A")
    for model_id in (models.CLAUDE, encoded):
        assert smoother.post(f"/model/{model_id}/converse", body).status == 200


def test_other_than_smoother_headers_are_bedrocks_own(clients):
    direct, through = (
        {
            name
            for name in converse(client, models.CLAUDE)["ResponseMetadata"]["HTTPHeaders"]
            if not name.startswith("x-smoother-")
        }
        for client in clients
    )
    assert through == direct
