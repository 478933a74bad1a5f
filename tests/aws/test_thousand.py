"""A thousand requests by every door, of three priorities and several tenants, over a quota."""

import itertools
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from cloud.lanes import STEADY
from cloud.town import Town
from house.simulator import Simulator

pytestmark = pytest.mark.pipeline

PRIORITIES = ("interactive", "normal", "batch")
TENANTS = ("acme", "umbrella", "initech")
BY_SQS, BY_HTTP, BY_SOCKET, TWICE = 700, 200, 100, 50
OUTPUT = 10


def prompt(mark: str) -> str:
    return f"Hello. [[sim in=20 out={OUTPUT} id={mark}]]"


def job(mark: str, priority: str | None = None) -> dict:
    wanted = {"priority": priority} if priority else {}
    return {"model": STEADY, "prompt": prompt(mark), "max_tokens": OUTPUT, **wanted}


def by_sqs(town: Town) -> None:
    kinds = itertools.cycle(itertools.product(PRIORITIES, TENANTS))
    messages = [
        (job(f"sqs-{n}"), {"Priority": priority, "Tenant": tenant, "IdempotencyKey": f"thousand-{n}"})
        for n, (priority, tenant) in zip(range(BY_SQS), kinds, strict=False)
    ]
    town.send(messages)
    # A producer that is not sure whether its message came sends it again.
    town.send(messages[:TWICE])


def by_http(town: Town) -> dict[str, str]:
    """The text of each answer, by its mark."""
    client = town.bedrock()

    def call(n: int) -> tuple[str, str]:
        answer = client.converse(
            modelId=STEADY,
            messages=[{"role": "user", "content": [{"text": prompt(f"http-{n}")}]}],
            inferenceConfig={"maxTokens": OUTPUT},
            requestMetadata={"priority": "interactive"},
        )
        return f"http-{n}", answer["output"]["message"]["content"][0]["text"]

    with ThreadPoolExecutor(8) as pool:
        return dict(pool.map(call, range(BY_HTTP)))


def by_socket(town: Town) -> dict[str, dict]:
    """What a connection is told of each job it submits, by the job's id."""
    told: dict[str, dict] = {}
    with town.connect() as socket:
        for n in range(BY_SOCKET):
            socket.send(json.dumps({"action": "submit", "ref": str(n), "job": job(f"ws-{n}", PRIORITIES[n % 3])}))
        answered = set()
        while len(answered) < BY_SOCKET or len(told) < BY_SOCKET:
            said = json.loads(socket.recv(timeout=240))
            assert said["type"] in ("job", "ended"), said
            if said["type"] == "job":
                answered.add(said["ref"])
            else:
                told[said["job"]["id"]] = said
    return told


def test_a_thousand_requests_over_a_quota_all_end(town: Town, simulator: Simulator):
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(door, town) for door in (by_sqs, by_http, by_socket)]
        _, texts, pushed = [one.result(timeout=280) for one in running]

    total = BY_SQS + BY_HTTP + BY_SOCKET
    ends = lambda: [event for event in town.results.jobs().values() if event["job"]["lane"] == "steady"]  # noqa: E731
    town.until(lambda: len(ends()) >= total, f"{total} ends")

    # Nothing is lost, nothing is made twice: a thousand jobs, each with its one answer.
    jobs = [event["job"] for event in ends()]
    assert len(jobs) == total
    assert Counter(one["status"] for one in jobs) == {"COMPLETED": total}
    calls = [call for call in simulator.calls() if call["model"] == STEADY]
    answered = Counter(call["id"] for call in calls if call["outcome"] == "answered")
    assert set(answered.values()) == {1} and len(answered) == total
    # No call number twice: what the jobs count is what came upstream.
    assert sum(one["calls_made"] for one in jobs) == len(calls)
    throttled = sum(simulator.stats()["models"][STEADY]["throttled"].values())
    assert throttled <= len(calls) / 100, f"{throttled} of {len(calls)} calls were throttled"

    wanted = {priority: {tenant for tenant in TENANTS} for priority in PRIORITIES}
    for one in jobs:
        wanted[one["priority"]].discard(one["tenant"])
    assert wanted == {priority: set() for priority in PRIORITIES}

    assert len(texts) == BY_HTTP and all(texts.values())
    assert pushed.keys() <= {one["id"] for one in jobs} and len(pushed) == BY_SOCKET
    told = town.topic
    town.until(lambda: len([e for e in told.jobs().values() if e["job"]["lane"] == "steady"]) >= total, "the topic")
    stored_as_told(town, list(pushed.values())[:10] + ends()[:20])


def stored_as_told(town: Town, events: list[dict]) -> None:
    """The results that travelled inside the messages lie in the bucket too."""
    s3 = town.deployment.client("s3")
    bucket = town.outputs["BedrockCallsBucketName"]
    for event in events:
        prefix = f"results/{event['job']['id']}/"
        [kept] = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
        assert json.loads(s3.get_object(Bucket=bucket, Key=kept["Key"])["Body"].read()) == event["result"]
