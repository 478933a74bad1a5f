"""Bad input: each is refused with what was wrong, and a neighbour's request goes through all the while."""

import json
import threading
import time

import pytest

from house import models
from house.raw import Raw

CONVERSE = f"/model/{models.CLAUDE}/converse"
JSON = {"content-type": "application/json"}


@pytest.fixture
def neighbour(smoother, simulator):
    """Somebody else's requests beside the bad one, and after it; nothing of the bad one reaches upstream."""
    stop = threading.Event()
    statuses: list[int] = []

    def run() -> None:
        while not stop.is_set():
            statuses.append(smoother.converse("Neighbour. [[sim out=2]]").status)

    thread = threading.Thread(target=run)
    thread.start()
    yield
    stop.set()
    thread.join(30)
    statuses.append(smoother.converse("Afterwards. [[sim out=2]]").status)
    assert set(statuses) == {200}


def on_the_wire(smoother, body, headers=JSON, path=CONVERSE) -> tuple[int, str, str]:
    """Status, exception and message of a refusal on Bedrock's wire."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = smoother.post(path, data, headers)
    kind = answer.headers.get("x-amzn-errortype", "").split(":")[0]
    return answer.status, kind, answer.json()["message"]


def as_a_job(smoother, job, headers=JSON) -> tuple[int, dict]:
    """Status and problem of a refusal on /v1."""
    data = job if isinstance(job, bytes) else json.dumps(job).encode()
    answer = smoother.post("/v1/jobs", data, headers)
    assert answer.headers["content-type"].startswith("application/problem+json"), answer
    problem = answer.json()
    assert problem["status"] == answer.status and problem["title"] and problem["detail"]
    return answer.status, problem


def job(**changes) -> dict:
    return {"model": models.CLAUDE, "operation": "converse", "body": models.converse_body("Hello."), **changes}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"{\"messages\": 7}", b"\xff\xfe{}", b"{}x"])
def test_malformed_json(smoother, neighbour, body):
    status, kind, message = on_the_wire(smoother, body)
    assert (status, kind) == (400, "ValidationException") and message
    assert as_a_job(smoother, body)[0] == 400


def test_json_nested_without_end(smoother, neighbour):
    status, kind, _ = on_the_wire(smoother, b'{"messages":' + b"[" * 100_000)
    assert (status, kind) == (400, "ValidationException")


def test_an_unknown_model(smoother, neighbour):
    status, kind, message = on_the_wire(
        smoother, models.converse_body("Hello."), path="/model/acme.unheard-of-v1:0/converse"
    )
    assert status in (400, 404) and "acme.unheard-of-v1:0" in message
    assert as_a_job(smoother, job(model="acme.unheard-of-v1:0"))[0] in (400, 404)


def test_an_unknown_operation_of_a_model(smoother, neighbour):
    answer = smoother.post(f"/model/{models.CLAUDE}/dance", models.converse_body("Hello."))
    assert 400 <= answer.status < 500 and answer.json()["message"]


def test_an_empty_prompt(smoother, neighbour):
    for body in ({"messages": []}, models.converse_body("")):
        status, kind, _ = on_the_wire(smoother, body)
        assert (status, kind) == (400, "ValidationException")
    assert as_a_job(smoother, job(body={"messages": []}))[0] == 400


def test_a_body_over_the_limit(smoother, neighbour):
    body = json.dumps(models.converse_body("x" * (21 << 20))).encode()
    status, kind, message = on_the_wire(smoother, body)
    assert (status, kind) == (400, "ValidationException")
    assert "max_body_bytes = 20971520" in message
    assert as_a_job(smoother, body)[0] == 413


def test_a_body_over_the_limit_that_does_not_say_its_length(smoother, neighbour):
    raw = Raw(smoother.port)
    raw.send_head("POST", CONVERSE, {"content-type": "application/json", "transfer-encoding": "chunked"})
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    try:
        for _ in range(24):
            raw.send(chunk)
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused and closed before everything was sent
    assert raw.status() in (400, None)
    raw.close()


def test_too_many_messages(smoother, neighbour):
    turns = [
        {"role": ("user", "assistant")[n % 2], "content": [{"text": "Turn."}]} for n in range(1_001)
    ]
    status, kind, message = on_the_wire(smoother, {"messages": turns})
    assert (status, kind) == (400, "ValidationException") and "1000" in message.replace(",", "")


def test_an_unknown_priority(smoother, neighbour):
    status, kind, message = on_the_wire(
        smoother, models.converse_body("Hello."), {**JSON, "x-smoother-priority": "urgent"}
    )
    assert (status, kind) == (400, "ValidationException")
    assert "urgent" in message and "interactive" in message
    assert "urgent" in as_a_job(smoother, job(priority="urgent"))[1]["detail"]


@pytest.mark.parametrize("value", ["-1", "0", "1.5", "soon", "99999999999999999999", ""])
@pytest.mark.parametrize("header", ["x-smoother-timeout-ms", "x-smoother-max-wait-ms"])
def test_an_absurd_timeout(smoother, neighbour, header, value):
    status, kind, message = on_the_wire(smoother, models.converse_body("Hello."), {**JSON, header: value})
    assert (status, kind) == (400, "ValidationException") and header in message


def test_max_tokens_above_the_models(smoother, neighbour):
    status, kind, message = on_the_wire(smoother, models.converse_body("Hello.", 64_001))
    assert (status, kind) == (400, "ValidationException") and "64000" in message.replace(",", "")


def test_a_request_that_can_never_fit_its_lane(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes={"tiny": {"tokens_per_minute": 1_000}})
    status, kind, message = on_the_wire(smoother, models.converse_body("Hello.", 2_000))
    assert (status, kind) == (400, "ValidationException")
    assert "tokens_per_minute" in message and "1000" in message.replace(",", "")
    problem = as_a_job(smoother, job(body=models.converse_body("Hello.", 2_000)))[1]
    assert problem["limit"] == {"name": "tokens_per_minute", "value": 1_000}
    assert simulator.stats()["calls"] == 0
    assert smoother.converse("Small. [[sim out=2]]").status == 200


def test_a_wrong_content_type(smoother, neighbour):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        assert on_the_wire(smoother, models.converse_body("Hello."), {"content-type": kind})[0] == 415
        assert as_a_job(smoother, job(), {"content-type": kind})[0] == 415


def test_an_unknown_job(smoother, neighbour):
    unknown = "0190163d-8694-739b-aea5-966c26f8ad90"
    for path in (f"/v1/jobs/{unknown}", f"/v1/jobs/{unknown}/result"):
        assert smoother.get(path).status == 404
    assert smoother.delete(f"/v1/jobs/{unknown}").status == 404
    for answer in (smoother.get("/v1/jobs/not-an-id"), smoother.delete("/v1/jobs/not-an-id")):
        assert answer.status in (400, 404) and answer.json()["detail"]


def test_a_bad_query(smoother, neighbour):
    for query in ("limit=0", "limit=100000", "limit=x", "cursor=garbage", "status=SLEEPING", "colour=blue"):
        answer = smoother.get(f"/v1/jobs?{query}")
        assert answer.status == 400 and answer.json()["detail"], query


def test_a_job_with_an_unknown_field(smoother, neighbour):
    assert "colour" in as_a_job(smoother, job(colour="blue"))[1]["detail"]


def test_a_slow_body_holds_nobody_else_back(smoother, neighbour):
    """A body that trickles in is taken as long as it moves; others are not kept waiting."""
    data = json.dumps(models.converse_body("Slow but whole. [[sim out=2]]")).encode()
    raw = Raw(smoother.port)
    raw.send_head("POST", CONVERSE, {**JSON, "content-length": len(data)})
    for start in range(0, len(data), 16):
        raw.send(data[start : start + 16])
        assert smoother.converse("Meanwhile. [[sim out=2]]").status == 200
    assert raw.status() == 200
    raw.close()


def test_bodies_cut_off_in_the_middle_leave_nothing_behind(smoother, neighbour, simulator):
    data = json.dumps(models.converse_body("Cut. [[sim out=2 id=cut-off]]")).encode()
    for _ in range(20):
        raw = Raw(smoother.port)
        raw.send_head("POST", CONVERSE, {**JSON, "content-length": len(data)})
        raw.send(data[: len(data) // 2])
        raw.close()
    assert smoother.converse("After. [[sim out=2]]").status == 200
    assert simulator.calls_of("cut-off") == []


def test_many_idle_connections_hold_nobody_back(smoother, neighbour):
    idle = [Raw(smoother.port) for _ in range(200)]
    begun = time.monotonic()
    assert smoother.converse("Beside them. [[sim out=2]]").status == 200
    assert time.monotonic() - begun < 5
    for raw in idle:
        raw.close()


def test_not_http_at_all(smoother, neighbour):
    raw = Raw(smoother.port)
    raw.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n")
    assert raw.status() in (400, None)
    raw.close()


def test_a_wrong_method(smoother, neighbour):
    answer = smoother.get(CONVERSE)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert answer.headers["x-amzn-errortype"] == "MethodNotAllowedException" and "POST" in answer.json()["message"]
    for path, allowed in [("/v1/jobs", {"GET", "HEAD", "POST"}), ("/v1/lanes", {"GET", "HEAD"})]:
        answer = smoother.delete(path)
        assert answer.status == 405
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(answer.headers["allow"].split(",")) == allowed
        assert answer.json()["title"] == "The method is not allowed here" and path in answer.json()["detail"]
    assert smoother.get("/no/such/place").status == 404


def test_one_problem_has_one_text_at_every_door(smoother, neighbour):
    for job in ["nonsense", "0190a0e0-0000-7000-8000-000000000000"]:
        read, cancelled = smoother.get(f"/v1/jobs/{job}"), smoother.delete(f"/v1/jobs/{job}")
        assert read.status == cancelled.status and read.json() == cancelled.json()


def test_what_a_query_says_is_not_overlooked(smoother, neighbour):
    for path, word in [
        ("/v1/jobs?colour=red", "colour"),
        ("/v1/jobs?lane=nope", "nope"),
        (f"/v1/jobs/{'0190a0e0-0000-7000-8000-000000000000'}?until=done", "until"),
    ]:
        answer = smoother.get(path)
        assert answer.status in (400, 404) and word in answer.json()["detail"], path
        assert "deserialize" not in answer.json()["detail"]


@pytest.mark.parametrize("body", [["m", "x"], {"model": models.CLAUDE, "body": {"messages": [["user", []]]}}])
def test_an_array_is_no_object(smoother, neighbour, body):
    answer = smoother.post("/v1/jobs", body)
    assert answer.status == 400
    assert "is an array; it must be an object" in answer.json()["detail"]


@pytest.mark.minute
def test_a_body_that_stops_is_given_up(smoother, neighbour):
    """Nothing for 30 s: the connection is not held for ever."""
    raw = Raw(smoother.port)
    raw.socket.settimeout(60)
    raw.send_head("POST", CONVERSE, {**JSON, "content-length": 1000})
    raw.send(b'{"messages":')
    assert raw.status() in (400, 408)
    raw.close()
