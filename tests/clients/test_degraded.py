"""Where no lane can serve a request, it is answered with the configured text, in its model's own form."""

import json

import pytest

from house import models, sdk
from house.upstream import faults

TEXT = 'We are "busy" – später.'


@pytest.fixture
def degraded(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes={"east": {"models": models.ALL, "degraded_answer": TEXT}})
    simulator.play(faults({"403": 1}))
    return smoother


def marked(smoother, headers: dict) -> None:
    assert headers["x-smoother-degraded"] == "true"
    job = smoother.job(headers["x-smoother-job-id"])
    assert job["status"] == "COMPLETED" and job["degraded"] is True
    assert "served_by" not in job
    assert [(hop["from"], hop["cause"]) for hop in job["hops"]] == [("east", "access_denied")]


def test_converse(degraded):
    answer = sdk.bedrock(degraded.url).converse(modelId=models.NOVA, **models.converse_body("Hello."))
    assert answer["output"]["message"] == {"role": "assistant", "content": [{"text": TEXT}]}
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"]["totalTokens"] == 0
    marked(degraded, answer["ResponseMetadata"]["HTTPHeaders"])


def test_converse_stream(degraded):
    answer = sdk.bedrock(degraded.url).converse_stream(modelId=models.CLAUDE, **models.converse_body("Hello."))
    events = list(answer["stream"])
    texts = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert "".join(texts) == TEXT
    assert [next(iter(event)) for event in events][-2:] == ["messageStop", "metadata"]
    marked(degraded, answer["ResponseMetadata"]["HTTPHeaders"])


def text_of(body: dict) -> str:
    if "output" in body:
        return body["output"]["message"]["content"][0]["text"]
    if "content" in body:
        return body["content"][0]["text"]
    return body["results"][0]["outputText"] if "results" in body else body["generation"]


@pytest.mark.parametrize("model", models.ALL)
def test_invoke_model(degraded, model):
    body = json.dumps(models.invoke_body(model, "Hello."))
    answer = sdk.bedrock(degraded.url).invoke_model(modelId=model, body=body)
    assert text_of(json.loads(answer["body"].read())) == TEXT
    marked(degraded, answer["ResponseMetadata"]["HTTPHeaders"])


def delta_of(chunk: dict) -> str:
    if "contentBlockDelta" in chunk:
        return chunk["contentBlockDelta"]["delta"]["text"]
    if chunk.get("type") == "content_block_delta":
        return chunk["delta"]["text"]
    return chunk.get("outputText", chunk.get("generation", ""))


@pytest.mark.parametrize("model", models.ALL)
def test_invoke_model_with_response_stream(degraded, model):
    body = json.dumps(models.invoke_body(model, "Hello."))
    answer = sdk.bedrock(degraded.url).invoke_model_with_response_stream(modelId=model, body=body)
    chunks = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    assert "".join(map(delta_of, chunks)) == TEXT
    assert "amazon-bedrock-invocationMetrics" in chunks[-1]
    marked(degraded, answer["ResponseMetadata"]["HTTPHeaders"])


REQUEST = {
    "model": models.CLAUDE_OLD,
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Name three rivers."}],
}


def test_anthropics_client_reads_a_whole_answer(degraded):
    raw = sdk.anthropic(degraded.url).messages.with_raw_response.create(**REQUEST)
    message = raw.parse()
    assert [block.text for block in message.content] == [TEXT]
    assert message.stop_reason == "end_turn" and message.usage.output_tokens == 0
    marked(degraded, raw.headers)


def test_anthropics_client_reads_a_stream(degraded):
    with sdk.anthropic(degraded.url).messages.stream(**REQUEST) as stream:
        assert "".join(stream.text_stream) == TEXT
        assert stream.get_final_message().stop_reason == "end_turn"
        marked(degraded, stream.response.headers)


def test_a_job_is_marked_and_its_result_reads_as_an_answer(degraded):
    job = degraded.until_ended(degraded.submit("Hello.").json()["id"])
    assert (job["status"], job["degraded"]) == ("COMPLETED", True)
    result = degraded.get(f"/v1/jobs/{job['id']}/result")
    assert result.json()["output"]["message"]["content"][0]["text"] == TEXT
    assert result.headers["x-smoother-degraded"] == "true"
