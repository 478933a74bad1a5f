"""Errors surface in the SDKs as the exceptions that Bedrock itself would cause."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from house import models, sdk


def one_attempt(url: str):
    """No retries: the test wants the first answer, not what the SDK makes of five."""
    return boto3.client("bedrock-runtime", endpoint_url=url, config=Config(retries={"total_max_attempts": 1}))


def error_of(client, mark: str = "", **change) -> dict:
    request = {"modelId": models.CLAUDE, **models.converse_body(f"Hello. {mark}"), **change}
    with pytest.raises(ClientError) as caught:
        client.converse(**request)
    answer = caught.value.response
    return {
        "code": answer["Error"]["Code"],
        "message": answer["Error"]["Message"],
        "status": answer["ResponseMetadata"]["HTTPStatusCode"],
    }


@pytest.mark.parametrize(
    "change",
    [
        {"messages": []},
        {"messages": [{"role": "user", "content": []}]},
        {"messages": [{"role": "user", "content": [{"text": ""}]}]},
        {"messages": [{"role": "assistant", "content": [{"text": "I begin."}]}]},
    ],
    ids=["no-messages", "no-content", "empty-text", "assistant-first"],
)
def test_an_empty_prompt_is_a_validation_exception(smoother, simulator, change):
    before = simulator.stats()["accepted"]
    found = error_of(sdk.bedrock(smoother.url), **change)
    assert (found["code"], found["status"]) == ("ValidationException", 400)
    assert found["message"]
    assert simulator.stats()["accepted"] == before


def test_an_unknown_model_is_refused_with_the_list_of_lanes(smoother):
    found = error_of(sdk.bedrock(smoother.url), modelId="acme.unheard-of-v1:0")
    assert found["code"] in ("ResourceNotFoundException", "ValidationException")
    assert "acme.unheard-of-v1:0" in found["message"]
    assert "everything" in found["message"], "names the lanes there are"


def test_max_tokens_above_the_models_is_a_validation_exception(smoother):
    found = error_of(sdk.bedrock(smoother.url), inferenceConfig={"maxTokens": 64_001})
    assert (found["code"], found["status"]) == ("ValidationException", 400)
    assert "64000" in found["message"].replace(",", "")


@pytest.mark.parametrize(
    ("fault", "code", "status"),
    [
        ("400", "ValidationException", 400),
        ("403", "AccessDeniedException", 403),
        ("404", "ResourceNotFoundException", 404),
    ],
)
def test_what_bedrock_refuses_for_good_is_passed_on_word_for_word(simulator, smoother, fault, code, status):
    mark = f"[[sim fault={fault}]]"
    direct, through = error_of(one_attempt(simulator.url), mark), error_of(one_attempt(smoother.url), mark)
    assert through == direct
    assert (through["code"], through["status"]) == (code, status)


@pytest.mark.parametrize("fault", ["500", "503", "429", "408", "424", "not-ready"])
def test_a_passing_trouble_of_bedrock_never_reaches_the_client(smoother, simulator, fault):
    mark = f"passing-{fault}"
    answer = one_attempt(smoother.url).converse(
        modelId=models.CLAUDE,
        **models.converse_body(f"Hello. [[sim out=3 fault={fault} times=1 id={mark}]]"),
    )
    assert answer["usage"]["outputTokens"] == 3
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-smoother-calls"] == "2"
    assert len(simulator.calls_of(mark)) == 2


def test_a_stream_cut_before_its_first_token_is_called_again(smoother, simulator):
    answer = one_attempt(smoother.url).converse_stream(
        modelId=models.CLAUDE,
        **models.converse_body("Hello. [[sim out=9 fault=cut-before times=1 id=cut-before]]"),
    )
    assert list(answer["stream"])[-1]["metadata"]["usage"]["outputTokens"] == 9
    assert len(simulator.calls_of("cut-before")) == 2


@pytest.mark.parametrize(
    "fault", ["stream-424", "stream-500", "stream-503", "stream-throttle", "cut-after"]
)
def test_a_stream_broken_after_its_first_token_is_reported_in_the_stream(smoother, simulator, fault):
    mark = f"broken-{fault}"
    answer = one_attempt(smoother.url).converse_stream(
        modelId=models.CLAUDE,
        **models.converse_body(f"Hello. [[sim out=40 at=20 fault={fault} id={mark}]]"),
    )
    seen = []
    with pytest.raises(EventStreamError):
        for event in answer["stream"]:
            seen.append(event)
    assert any("contentBlockDelta" in event for event in seen)
    assert len(simulator.calls_of(mark)) == 1, "half an answer is never asked for again"
