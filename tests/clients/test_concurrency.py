"""Many clients over a small quota: nobody sees an error, and nothing is throttled upstream."""

import json
from concurrent.futures import ThreadPoolExecutor

from house import models, sdk

THREADS = 50
QUOTA = {"tokens_per_minute": 60_000, "requests_per_minute": 600, "limiter": "bucket", "bucket_seconds": 10}


def test_fifty_threads_over_a_small_quota(new_simulator, new_smoother):
    # 100 calls of 150 reserved tokens: more than a bucket's burst of 10,000, so that some must wait.
    simulator = new_simulator({"quota": QUOTA, "latency": {"base_ms": 20}, "output_burndown": 5})
    smoother = new_smoother(
        simulator.url, lanes={"small": {"tokens_per_minute": 60_000, "requests_per_minute": 600}}
    )
    client = sdk.bedrock(smoother.url)

    def call(n: int) -> int:
        prompt = f"Prompt {n}. [[sim in=50 out=20 prio=test]]"
        if n % 2:
            answer = client.converse(modelId=models.CLAUDE, **models.converse_body(prompt, max_tokens=100))
            return answer["usage"]["outputTokens"]
        answer = client.invoke_model(
            modelId=models.CLAUDE, body=json.dumps(models.invoke_body(models.CLAUDE, prompt, max_tokens=100))
        )
        return json.loads(answer["body"].read())["usage"]["output_tokens"]

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(call, range(100))) == [20] * 100

    totals = simulator.stats()
    assert totals["accepted"] == totals["answered"] == 100
    assert simulator.throttled() == 0


def test_interactive_calls_pass_a_backlog_of_batch_calls(new_simulator, new_smoother):
    # 60 jobs of some 600 tokens over 60,000 a minute: half a minute's work.
    simulator = new_simulator({"quota": QUOTA, "latency": {"base_ms": 20}})
    smoother = new_smoother(
        simulator.url, lanes={"small": {"tokens_per_minute": 60_000, "requests_per_minute": 600}}
    )
    backlog = [
        smoother.submit(f"Batch {n}. [[sim out=20]] {'word ' * 400}", {"x-smoother-priority": "batch"}).json()
        for n in range(60)
    ]
    answer = smoother.converse("Now. [[sim out=10]]", headers={"x-smoother-priority": "interactive"})
    assert answer.status == 200
    assert int(answer.headers["x-smoother-queue-ms"]) < 3_000
    waiting = [job for job in backlog if smoother.job(job["id"])["status"] == "QUEUED"]
    assert waiting, "the backlog was still there when the interactive call was answered"
