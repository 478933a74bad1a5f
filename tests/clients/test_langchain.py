"""langchain-aws: ChatBedrockConverse, whole and streamed."""

from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage

from house import sdk

PROMPT = [SystemMessage("Be brief."), HumanMessage("Name three rivers. [[sim out=30]]")]


def test_invoke(simulator, smoother):
    direct, through = (sdk.chat(url).invoke(PROMPT) for url in (simulator.url, smoother.url))
    assert through.content == direct.content
    assert through.usage_metadata == direct.usage_metadata
    assert through.usage_metadata["output_tokens"] == 30
    assert through.response_metadata["stopReason"] == "end_turn"


def test_stream(simulator, smoother):
    direct, through = (list(sdk.chat(url).stream(PROMPT)) for url in (simulator.url, smoother.url))
    assert len(through) == len(direct) > 3

    def joined(chunks: list[AIMessageChunk]) -> AIMessageChunk:
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole += chunk
        return whole

    assert joined(through).content == joined(direct).content
    assert joined(through).usage_metadata["output_tokens"] == 30


def test_batch_of_prompts_all_answered(smoother):
    answers = sdk.chat(smoother.url).batch([[HumanMessage(f"Prompt {n}. [[sim out=5]]")] for n in range(8)])
    assert [answer.usage_metadata["output_tokens"] for answer in answers] == [5] * 8
