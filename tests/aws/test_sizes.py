"""Whatever is too large for one way goes another, or is told so; its neighbours are fine."""

import json
import urllib.error
import urllib.request

import pytest
from cloud.lanes import MOST_BODY, ROOMY
from cloud.town import Town
from house.models import converse_body

pytestmark = pytest.mark.pipeline

# What Lambda lets through a function URL, and what the model takes.
MOST_BY_HTTP = 6 * 1024 * 1024
MOST_OF_BEDROCK = 25_000_000


def job(size: int = 0, **fields) -> dict:
    return {"model": ROOMY, "prompt": "Hello. [[sim in=9 out=5]] " + "x" * size, "max_tokens": 16, **fields}


def by_pointer(town: Town, sizes: dict[str, int], tenant: str) -> dict[str, str]:
    """Puts a job of each size into the inbox and sends its pointer, with a small neighbour; the message of each."""
    bucket = town.outputs["BedrockCallsBucketName"]
    s3 = town.deployment.client("s3")
    messages = []
    for name, size in sizes.items():
        s3.put_object(Bucket=bucket, Key=f"inbox/{tenant}-{name}", Body=json.dumps(job(size)).encode())
        messages.append({"s3": {"bucket": bucket, "key": f"inbox/{tenant}-{name}"}})
    sent = town.send((message, {"Tenant": tenant}) for message in [*messages, job()])
    return dict(zip([*sizes, "neighbour"], sent, strict=True))


def ends(town: Town, tenant: str, count: int) -> list[dict]:
    """The ends of a tenant's jobs, once there are so many."""

    def found() -> list[dict]:
        return [event["job"] for event in town.results.jobs().values() if event["job"]["tenant"] == tenant]

    town.until(lambda: len(found()) >= count, f"{count} ends of {tenant}")
    return found()


def test_a_body_larger_than_a_message_comes_by_its_pointer(town: Town):
    by_pointer(town, {"above a message": 300_000, "above the function URL": 8_000_000}, "sized")
    ended = ends(town, "sized", 3)
    assert [one["status"] for one in ended] == ["COMPLETED"] * 3


def test_a_body_that_bedrock_does_not_take_fails_and_one_that_is_not_taken_in_is_a_letter(town: Town):
    sent = by_pointer(town, {"refused": MOST_OF_BEDROCK + 500_000, "not taken": MOST_BODY + 500_000}, "huge")
    # What is not taken in has a row too, where its lane is known: there, nobody has read it.
    small, refused = sorted(ends(town, "huge", 2), key=lambda one: one["status"])
    assert (small["status"], refused["status"]) == ("COMPLETED", "FAILED")
    assert refused["calls_made"] == 1 and refused["error"]["status"] in (400, 413), refused
    assert "dead_letter" not in refused, "its own fault"
    found: list[dict] = []

    def letter() -> list[dict]:
        found.extend(town.letters())
        return [one for one in found if one["MessageId"] == sent["not taken"]]

    [letter] = town.until(letter, "the letter")
    assert letter["Reason"] and str(MOST_BODY) in letter["Detail"] and "inbox/huge-not taken" in letter["Detail"], letter
    assert len(ends(town, "huge", 2)) == 2


def test_a_body_larger_than_the_function_url_takes_is_refused_with_the_limit(town: Town):
    most = town.ask("POST", "/v1/jobs", job(MOST_BY_HTTP - 500))
    assert most.status == 202, most
    refused = town.ask("POST", "/v1/jobs", job(MOST_BY_HTTP + 1_000))
    assert refused.status == 413, refused
    problem = refused.json()
    assert problem["limit"]["value"] == MOST_BY_HTTP, problem
    assert "inbox/" in problem["detail"] and "/v1/uploads" in problem["detail"], problem
    by_sdk = town.ask("POST", f"/model/{ROOMY}/converse", converse_body("x" * MOST_BY_HTTP))
    assert (by_sdk.status, by_sdk.headers["x-amzn-errortype"]) == (400, "ValidationException"), by_sdk
    assert str(MOST_BY_HTTP) in by_sdk.json()["message"]
    told = town.until_told([most.json()["id"]])
    assert {event["job"]["status"] for event in told.values()} == {"COMPLETED"}


def test_a_job_larger_than_the_function_url_takes_is_put_into_a_place_of_its_own(town: Town):
    text = json.dumps(job(8_000_000)).encode()
    asked = town.ask("POST", "/v1/uploads", {"bytes": len(text)})
    assert asked.status == 201, asked
    place = asked.json()
    assert urllib.request.urlopen(put(place, text), timeout=60).status == 200
    by = {"idempotency-key": "uploaded", "x-smoother-priority": "interactive"}
    accepted = town.ask("POST", "/v1/jobs", {"s3": place["s3"]}, by)
    assert accepted.status == 202, accepted
    again = town.ask("POST", "/v1/jobs", {"s3": place["s3"]}, by)
    assert again.json()["id"] == accepted.json()["id"], "the same place is the same body"
    told = town.until_told([accepted.json()["id"]])[accepted.json()["id"]]
    assert (told["job"]["status"], told["job"]["priority"]) == ("COMPLETED", "interactive")

    larger = {**place, "put": {"url": place["put"]["url"], "headers": {"content-length": str(len(text) + 1)}}}
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(put(larger, text + b" "), timeout=60)
    assert refused.value.code == 403, "the address is for that size"
    # A place of a name that was not given out is none.
    bucket = place["s3"]["bucket"]
    for key in ("inbox/sized-above a message", f"results/{accepted.json()['id']}/x", "inbox/uploads/guessed"):
        foreign = town.ask("POST", "/v1/jobs", {"s3": {"bucket": bucket, "key": key}})
        assert foreign.status == 400 and key in foreign.json()["detail"], foreign
    for wrong in ({"bytes": 0}, {"bytes": -1}, {"bytes": "many"}, {}, {"bytes": 5, "tenant": "x"}):
        assert town.ask("POST", "/v1/uploads", wrong).status == 400, wrong
    most = town.ask("POST", "/v1/uploads", {"bytes": MOST_BODY + 1})
    assert (most.status, most.json()["limit"]["value"]) == (413, MOST_BODY), most


def put(place: dict, text: bytes) -> urllib.request.Request:
    return urllib.request.Request(place["put"]["url"], text, place["put"]["headers"], method="PUT")


def test_a_result_larger_than_its_message_is_pointed_to(town: Town):
    large = town.submit(ROOMY, "Long. [[sim in=9 out=3000]]", max_tokens=4_000)
    small = town.submit(ROOMY, "Short. [[sim in=9 out=5]]")
    told = town.until_told([large, small])
    assert told[small]["result"] and "result_at" not in told[small]
    assert "result" not in told[large] and told[large]["job"]["result_bytes"] > 4_096
    place = told[large]["result_at"]["s3"]
    kept = town.deployment.client("s3").get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    assert kept == town.ask("GET", f"/v1/jobs/{large}/result").body
    assert json.loads(kept)["usage"]["outputTokens"] == 3_000
    # The topic and the results queue say the same.
    town.until(lambda: large in town.topic.jobs(), "the topic")
    assert town.topic.jobs()[large]["result_at"] == told[large]["result_at"]
