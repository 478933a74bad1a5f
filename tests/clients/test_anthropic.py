"""anthropic's AnthropicBedrock: messages.create and messages.stream."""

import anthropic
import pytest

from house import models, sdk

REQUEST = {
    "model": models.CLAUDE_OLD,
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Name three rivers. [[sim out=30]]"}],
}


def test_create(simulator, smoother):
    direct, through = (sdk.anthropic(url).messages.create(**REQUEST) for url in (simulator.url, smoother.url))
    fields = {"id"}
    assert through.model_dump(exclude=fields) == direct.model_dump(exclude=fields)
    assert through.usage.output_tokens == 30


def test_stream(simulator, smoother):
    texts = []
    for url in (simulator.url, smoother.url):
        with sdk.anthropic(url).messages.stream(**REQUEST) as stream:
            texts.append("".join(stream.text_stream))
            final = stream.get_final_message()
        assert final.usage.output_tokens == 30
        assert final.stop_reason == "end_turn"
    assert texts[0] == texts[1] != ""


def test_create_with_stream_yields_the_same_events(simulator, smoother):
    kinds = []
    for url in (simulator.url, smoother.url):
        kinds.append([event.type for event in sdk.anthropic(url).messages.create(stream=True, **REQUEST)])
    assert kinds[1] == kinds[0]
    assert kinds[1][0] == "message_start" and kinds[1][-1] == "message_stop"


def test_a_refused_request_is_a_bad_request(smoother):
    with pytest.raises(anthropic.BadRequestError) as caught:
        sdk.anthropic(smoother.url).messages.create(**{**REQUEST, "messages": []})
    assert caught.value.status_code == 400
