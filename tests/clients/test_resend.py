"""A call that an SDK gives up after its own 60 s and sends again joins its own request: one upstream call.

boto3 retries a read timeout with the same `amz-sdk-invocation-id`; that is the request's key for the time of
the call. Real default timeouts, so these tests take a minute by nature.
"""

import threading

import pytest

from house import models, sdk

SECONDS = 65


@pytest.mark.minute
@pytest.mark.parametrize("stream", [False, True], ids=["converse", "converse_stream"])
def test_boto3_resends_after_its_read_timeout_and_pays_once(new_simulator, new_smoother, stream):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url)
    client = sdk.bedrock(smoother.url)
    sent: list[dict] = []
    client.meta.events.register("before-send.bedrock-runtime", lambda request, **_: sent.append(request.headers))
    request = models.converse_body(f"Slow. [[sim out=7 latency_ms={SECONDS * 1000} id=slow]]")

    if stream:
        answer = client.converse_stream(modelId=models.CLAUDE, **request)
        usage = list(answer["stream"])[-1]["metadata"]["usage"]
    else:
        answer = client.converse(modelId=models.CLAUDE, **request)
        usage = answer["usage"]

    assert usage["outputTokens"] == 7
    assert len(sent) == 2, "the SDK did send it twice"
    assert len({headers["amz-sdk-invocation-id"] for headers in sent}) == 1
    assert len(simulator.calls_of("slow")) == 1
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-smoother-calls"] == "1"


@pytest.mark.minute
def test_a_call_that_waits_for_quota_beyond_the_read_timeout_is_answered_once(new_simulator, new_smoother):
    # The first call takes the whole minute's quota; the second waits for it longer than boto3 reads.
    quota = {"tokens_per_minute": 1_000, "limiter": "sliding"}
    simulator = new_simulator({"quota": quota, "output_burndown": 1})
    smoother = new_smoother(
        simulator.url,
        lanes={"tiny": {"tokens_per_minute": 1_000, "pacing": "window", "output_burndown": 1}},
    )
    filling = "word " * 600
    first = models.converse_body(f"First. [[sim in=800 out=100]] {filling}", 100)
    assert smoother.post(f"/model/{models.CLAUDE}/converse", first).status == 200
    # Five seconds on top: the SDK's 60 s are over before the answer comes, however the window falls.
    second = models.converse_body(f"Second. [[sim in=800 out=100 latency_ms=5000 id=second]] {filling}", 100)

    answers: list[dict] = []

    def wait() -> None:
        answers.append(sdk.bedrock(smoother.url).converse(modelId=models.CLAUDE, **second))

    waiter = threading.Thread(target=wait)
    waiter.start()
    waiter.join(timeout=150)
    assert not waiter.is_alive() and len(answers) == 1
    assert int(answers[0]["ResponseMetadata"]["HTTPHeaders"]["x-smoother-queue-ms"]) > 50_000
    assert len(simulator.calls_of("second")) == 1
    assert simulator.throttled() == 0
