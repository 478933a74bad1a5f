"""Messages that are no requests end in the dead letters with their reason, and harm nobody."""

import json

import pytest
from cloud.lanes import ROOMY
from cloud.town import Town

pytestmark = pytest.mark.pipeline


def job(**fields) -> dict:
    return {"model": ROOMY, "prompt": "Hello. [[sim out=5]]", "max_tokens": 16, **fields}


def test_poisoned_messages_are_told_apart_and_their_neighbours_are_fine(town: Town):
    bucket = town.outputs["BedrockCallsBucketName"]
    poisoned = {
        "no JSON": ("{", {}),
        "no such model": (job(model="nobody.knows-v1:0"), {}),
        "no such field": (job(colour="red"), {}),
        "no such priority": (job(), {"Priority": "urgent"}),
        "a foreign pointer": ({"s3": {"bucket": "somebody-elses", "key": "inbox/a"}}, {}),
        "not in the inbox": ({"s3": {"bucket": bucket, "key": "bodies/a"}}, {}),
        "nothing there": ({"s3": {"bucket": bucket, "key": "inbox/nothing"}}, {}),
    }
    # In one batch with the poisoned ones: the way in may take them together.
    good = [(job(), {"IdempotencyKey": f"neighbour-{n}", "Tenant": "neighbours"}) for n in range(3)]
    sent = town.send([*good, *poisoned.values()])
    bad = dict(zip(sent[len(good) :], poisoned, strict=True))

    found: dict[str, dict] = {}

    def letters() -> bool:
        found.update({letter["MessageId"]: letter for letter in town.letters()})
        return bad.keys() <= found.keys()

    town.until(letters, "the dead letters")
    assert found.keys() == bad.keys()
    for message, what in bad.items():
        body, _ = poisoned[what]
        assert found[message]["body"] == (body if isinstance(body, str) else json.dumps(body))
        assert found[message]["Reason"] and found[message]["Detail"], what
    detail = {bad[message]: letter["Detail"] for message, letter in found.items()}
    assert f"s3://{bucket}/inbox/" in detail["a foreign pointer"]
    assert f"s3://{bucket}/inbox/nothing" in detail["nothing there"]
    assert "urgent" in detail["no such priority"]
    assert "colour" in detail["no such field"]

    def neighbours() -> list[dict]:
        return [event["job"] for event in town.results.jobs().values() if event["job"]["tenant"] == "neighbours"]

    town.until(lambda: len(neighbours()) == len(good), "the neighbours")
    assert {one["status"] for one in neighbours()} == {"COMPLETED"}


def test_a_body_in_the_inbox_is_taken_from_there(town: Town):
    bucket = town.outputs["BedrockCallsBucketName"]
    # Larger than a message of SQS may be.
    body = json.dumps(job(prompt="Hello. [[sim in=9 out=5]] " + "x" * 1_100_000)).encode()
    town.deployment.client("s3").put_object(Bucket=bucket, Key="inbox/large", Body=body)
    town.send([({"s3": {"bucket": bucket, "key": "inbox/large"}}, {"Tenant": "large"})])
    large = lambda: [e["job"] for e in town.results.jobs().values() if e["job"]["tenant"] == "large"]  # noqa: E731
    [ended] = town.until(large, "the large one")
    assert ended["status"] == "COMPLETED"


def test_an_empty_lane_takes_no_harm_from_what_is_no_event(town: Town):
    queues = json.loads(
        town.deployment.client("lambda").get_function_configuration(FunctionName=town.deployment.function("worker"))[
            "Environment"
        ]["Variables"]["SMOOTHER_LANE_QUEUES"]
    )
    for text in ("{", "[]", '{"what": "is this"}', "x" * 100_000):
        town.sqs.send_message(QueueUrl=queues["roomy"], MessageBody=text)
    job_id = town.submit(ROOMY, "Hello. [[sim out=5]]")
    assert town.until_told([job_id])[job_id]["job"]["status"] == "COMPLETED"
