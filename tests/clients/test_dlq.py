"""Dead letters: a job that failed by no fault of its own waits for an operator, who sends it on its way again."""

import json
import re
import subprocess

import pytest

from house import binaries, models
from house.process import clean_env

OK, USAGE, NOT_FOUND, REFUSED = 0, 2, 3, 4

# One try a job: the first transient error ends it, and the breaker stays out of the way.
FRAIL = {"frail": {"max_tries": 1, "breaker_min_calls": 1_000_000}}


@pytest.fixture
def house(new_simulator, new_smoother):
    simulator = new_simulator()
    return simulator, new_smoother(simulator.url, lanes=FRAIL)


def cli(smoother, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [binaries.smoother(), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_env(SMOOTHER_SERVER=smoother.url),
    )


def kill(smoother, prompt: str, **fields) -> str:
    """A job whose calls fail; its id once it is dead."""
    job_id = smoother.submit(prompt, **fields).json()["id"]
    job = smoother.until_ended(job_id)
    assert (job["status"], job["dead_letter"]) == ("FAILED", True), job
    return job_id


def letters(smoother, query: str = "") -> list[str]:
    answer = smoother.get(f"/v1/dlq{query}")
    assert answer.status == 200, answer.body
    return [letter["id"] for letter in answer.json()["letters"]]


def test_a_dead_letter_is_listed_shown_redriven_and_completes_under_its_own_id(house):
    simulator, smoother = house
    prompt = "The secret of the house. [[sim out=5 fault=500 times=1 id=phoenix]]"
    job_id = kill(smoother, prompt, priority="batch", timeout_ms=60_000)
    listed = smoother.get("/v1/dlq")
    assert [letter["id"] for letter in listed.json()["letters"]] == [job_id]
    assert b"secret" not in listed.body, "a list never holds a prompt"

    shown = smoother.get(f"/v1/dlq/{job_id}")
    assert b"secret" not in shown.body
    letter = shown.json()
    assert letter["error"]["kind"] == "internal" and letter["error"]["status"] == 500
    assert [(call["number"], call["error"]) for call in letter["calls"]] == [(1, "internal")]
    assert [event["state"] for event in letter["events"]] == ["QUEUED", "RELEASED", "RUNNING", "FAILED"]
    body = smoother.get(letter["body"]["url"])
    assert json.loads(body.body) == models.converse_body(prompt)
    assert letter["body"]["bytes"] == len(body.body)

    again = smoother.post(f"/v1/dlq/{job_id}/redrive")
    assert again.status == 202 and again.json()["redriven"] is True
    job = smoother.until_ended(job_id)
    assert job["status"] == "COMPLETED" and job["redriven"] == 1
    assert [call["number"] for call in job["calls"]] == [1, 2]
    assert job["priority"] == "batch" and "deadline" not in job
    assert smoother.get(job["result_url"]).json()["usage"]["outputTokens"] == 5
    assert len(simulator.calls_of("phoenix")) == 2
    assert letters(smoother) == []

    twice = smoother.post(f"/v1/dlq/{job_id}/redrive")
    assert twice.status == 200 and twice.json()["redriven"] is False
    assert smoother.get(f"/v1/dlq/{job_id}").status == 404
    assert len(simulator.calls_of("phoenix")) == 2, "nothing was called again"
    assert smoother.stop() == 0
    sound = cli(smoother, "verify", "--data-dir", str(smoother.data_dir))
    assert sound.returncode == OK, sound.stdout + sound.stderr


def test_a_redriven_job_that_fails_again_is_a_dead_letter_again(house):
    simulator, smoother = house
    job_id = kill(smoother, "Twice. [[sim fault=500 times=2 id=twice out=1]]")
    for times in (1, 2):
        assert smoother.post(f"/v1/dlq/{job_id}/redrive").json()["times_redriven"] == times
        job = smoother.until_ended(job_id)
    assert job["status"] == "COMPLETED" and job["calls_made"] == 3
    assert len(simulator.calls_of("twice")) == 3


def test_a_long_poll_that_begins_after_the_redrive_waits_for_the_new_end(house):
    _, smoother = house
    job_id = kill(smoother, "Slow. [[sim fault=500 times=1 id=slow out=2 latency_ms=700]]")
    smoother.post(f"/v1/dlq/{job_id}/redrive")
    result = smoother.get(f"/v1/jobs/{job_id}/result?wait_ms=20000")
    assert result.status == 200 and result.json()["usage"]["outputTokens"] == 2


def test_only_those_that_are_meant_are_redriven_or_dropped(house):
    simulator, smoother = house
    broken = [kill(smoother, f"{n} [[sim fault=500 times=1 id=b{n} out=1]]") for n in range(3)]
    denied = kill(smoother, "Denied. [[sim fault=403]]")
    own_fault = smoother.submit("Wrong. [[sim fault=400]]").json()["id"]
    assert "dead_letter" not in smoother.until_ended(own_fault), "its own fault"
    assert letters(smoother) == [denied, *reversed(broken)]
    assert letters(smoother, "?error=access_denied") == [denied]
    assert letters(smoother, "?after=2100-01-01T00:00:00Z") == []
    assert set(letters(smoother, "?before=2100-01-01T00:00:00Z")) == {denied, *broken}

    first = smoother.post("/v1/dlq/redrive", {"error": "internal", "limit": 2}).json()
    assert (first["redriven"], first["refused"]) == (2, [])
    rest = smoother.post(
        "/v1/dlq/redrive", {"error": "internal", "limit": 2, "cursor": first["next_cursor"]}
    ).json()
    assert (rest["redriven"], rest["next_cursor"]) == (1, None)
    assert {smoother.until_ended(job_id)["status"] for job_id in broken} == {"COMPLETED"}
    assert letters(smoother) == [denied]

    assert smoother.delete("/v1/dlq").status == 400, "nothing named is not everything"
    assert smoother.delete("/v1/dlq?lane=frail").json()["dropped"] == 1
    assert letters(smoother) == []
    assert smoother.job(denied)["status"] == "FAILED"
    assert smoother.post(f"/v1/dlq/{denied}/redrive").status == 409
    assert smoother.post(f"/v1/dlq/{own_fault}/redrive").status == 409
    metrics = smoother.get("/metrics").body.decode()
    counts = dict(re.findall(r"^smoother_(dead_letters\w*_total)\{lane=\"frail\"\} (\d+)$", metrics, re.M))
    assert counts == {
        "dead_letters_total": "4",
        "dead_letters_redriven_total": "3",
        "dead_letters_dropped_total": "1",
    }


def test_a_redrive_outlives_a_crash(house):
    _, smoother = house
    job_id = kill(smoother, "Crash. [[sim fault=500 times=1 id=crash out=3]]")
    assert smoother.post("/v1/lanes/frail/breaker", {"state": "open"}).status == 200
    assert smoother.post(f"/v1/dlq/{job_id}/redrive").status == 202
    smoother.kill()
    smoother.start()
    job = smoother.job(job_id)
    assert (job["status"], job["redriven"]) == ("QUEUED", 1) or job["status"] == "COMPLETED"
    smoother.post("/v1/lanes/frail/breaker", {"state": "auto"})
    assert smoother.until_ended(job_id)["status"] == "COMPLETED"


def test_a_dead_letter_outlives_its_lane_but_is_not_sent_where_nobody_serves_it(house):
    _, smoother = house
    job_id = kill(smoother, "Moved. [[sim fault=500 times=1 id=moved out=1]]")
    assert smoother.stop() == 0
    smoother.config.write_text(smoother.config.read_text().replace("lanes.frail", "lanes.sound"))
    smoother.start()
    assert letters(smoother, "?lane=frail") == [job_id]
    refused = smoother.post(f"/v1/dlq/{job_id}/redrive")
    assert refused.status == 409 and refused.headers["content-type"] == "application/problem+json"
    assert "frail" in refused.json()["detail"] and "sound" in refused.json()["detail"]
    swept = smoother.post("/v1/dlq/redrive", {"all": True}).json()
    assert swept["redriven"] == 0 and swept["refused"][0]["reason"] == "lane-gone"
    assert letters(smoother) == [job_id]


def test_a_job_whose_body_cannot_be_read_back_is_a_dead_letter_that_says_so(house):
    simulator, smoother = house
    assert smoother.post("/v1/lanes/frail/breaker", {"state": "open"}).status == 200
    large = "x" * 300_000
    lost = smoother.submit(f"{large} [[sim id=lost]]").json()["id"]
    kept = smoother.submit("Neighbour. [[sim out=2]]").json()["id"]
    # The process would answer from memory; the next one reads the disk.
    assert smoother.stop() == 0
    damaged = [path for path in smoother.data_dir.rglob("*") if path.is_file() and large.encode() in path.read_bytes()]
    assert len(damaged) == 1
    data = bytearray(damaged[0].read_bytes())
    data[len(data) // 2] ^= 1
    damaged[0].write_bytes(data)
    smoother.start()
    smoother.post("/v1/lanes/frail/breaker", {"state": "auto"})
    job = smoother.until_ended(lost)
    assert (job["status"], job["error"]["status"], job["dead_letter"]) == ("FAILED", 500, True)
    assert smoother.until_ended(kept)["status"] == "COMPLETED", "its neighbour is unharmed"
    assert simulator.calls_of("lost") == []
    letter = smoother.get(f"/v1/dlq/{lost}").json()
    assert letter["body"]["url"] == f"/v1/dlq/{lost}?body=true" and letter["body"]["bytes"] > 300_000
    assert smoother.get(letter["body"]["url"]).status == 500
    assert smoother.post(f"/v1/dlq/{lost}/redrive").status == 500
    assert letters(smoother) == [lost]


def test_the_command_line_lists_shows_redrives_and_drops(house):
    _, smoother = house
    back = kill(smoother, "Back. [[sim fault=500 times=1 id=back out=1]]")
    away = kill(smoother, "Away. [[sim fault=403]]")
    table = cli(smoother, "dlq", "list")
    assert table.returncode == OK and back in table.stdout and "access_denied" in table.stdout
    only = cli(smoother, "dlq", "list", "--error", "internal", "--json")
    assert [letter["id"] for letter in json.loads(only.stdout)["letters"]] == [back]
    first = cli(smoother, "dlq", "list", "--limit", "1")
    assert away in first.stdout and back not in first.stdout
    cursor = re.search(r"--cursor (\S+)", first.stderr)[1]
    rest = cli(smoother, "dlq", "list", "--limit", "1", "--cursor", cursor)
    assert back in rest.stdout and away not in rest.stdout and "--cursor" not in rest.stderr
    shown = cli(smoother, "dlq", "show", back)
    assert "call 1" in shown.stdout and "FAILED" in shown.stdout and "Back." not in shown.stdout
    body = cli(smoother, "dlq", "show", back, "--body")
    assert "Back." in body.stdout and json.loads(body.stdout)

    assert cli(smoother, "dlq", "redrive").returncode == USAGE
    assert cli(smoother, "dlq", "redrive", "--all").returncode == USAGE, "no terminal, no --yes"
    assert cli(smoother, "dlq", "list", "--error", "oops").returncode == USAGE
    nobody = "0190163d-8694-739b-aea5-966c26f8ad90"
    assert cli(smoother, "dlq", "redrive", nobody).returncode == NOT_FOUND
    done = cli(smoother, "dlq", "redrive", nobody, back)
    assert done.returncode == NOT_FOUND and f"{back} redriven" in done.stdout, "one harms no other"
    assert smoother.until_ended(back)["status"] == "COMPLETED"
    twice = cli(smoother, "dlq", "redrive", back)
    assert twice.returncode == OK and "before" in twice.stdout
    assert cli(smoother, "dlq", "show", back).returncode == NOT_FOUND

    dropped = cli(smoother, "dlq", "drop", "--all", "--yes", "--json")
    assert dropped.returncode == OK
    assert json.loads(dropped.stdout) == {"dropped": 1, "unchanged": 0, "refused": []}
    assert cli(smoother, "dlq", "redrive", away).returncode == REFUSED
    assert cli(smoother, "dlq", "list").returncode == OK
