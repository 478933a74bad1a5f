"""Right-sizing: a smaller max_tokens goes upstream, answers that it cuts short are made again, and a restart knows."""

from concurrent.futures import ThreadPoolExecutor

from house import models

AGREES = "[tenants.default]\nright_size = true\n"
ASKED = 4096
# 20 tokens an answer: 80, four times the longest, is 128 in steps of 64; of 200 answers on 22 and a bit, 64.
ANSWER = "Say something. [[sim out=20 id=small]]"


def unset(prompt: str) -> dict:
    """A Converse body without any max_tokens."""
    return {"messages": [{"role": "user", "content": [{"text": prompt}]}]}


def converse(smoother, prompt: str, max_tokens: int = ASKED, headers: dict | None = None):
    path = f"/model/{models.CLAUDE}/converse"
    return smoother.post(path, models.converse_body(prompt, max_tokens), headers)


def teach(smoother, answers: int) -> None:
    """So many jobs of 20 tokens each, one after another as far as what is learned goes."""
    with ThreadPoolExecutor(16) as threads:
        jobs = [
            job.json()["id"]
            for job in threads.map(
                lambda _: smoother.submit("", operation="converse", body=models.converse_body(ANSWER, ASKED)),
                range(answers),
            )
        ]
        for ended in threads.map(smoother.until_ended, jobs):
            assert ended["status"] == "COMPLETED", ended


def counted(smoother, metric: str) -> float:
    lines = smoother.get("/metrics").body.decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{metric}{{"))


def test_a_smaller_max_tokens_goes_and_what_it_cuts_short_is_made_again(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, extra=AGREES)
    teach(smoother, 210)
    assert simulator.calls_of("small")[0]["max_tokens"] == ASKED, "nothing was known at first"

    short = converse(smoother, "Short. [[sim out=9 id=short]]")
    assert short.status == 200 and short.headers["x-smoother-right-sized"] == "true"
    assert simulator.calls_of("short")[0]["max_tokens"] == 64

    # Longer than any answer before: cut short at 64, nobody sees that, and it is made again with its own.
    long = converse(smoother, "Long. [[sim out=300 id=long]]")
    assert long.status == 200 and long.headers["x-smoother-right-sized"] == "rerun"
    assert long.headers["x-smoother-calls"] == "2"
    assert long.json()["stopReason"] == "end_turn"
    assert long.json()["usage"]["outputTokens"] == 300
    assert [call["max_tokens"] for call in simulator.calls_of("long")] == [64, ASKED]

    body = models.converse_body("Job. [[sim out=300 id=job]]", ASKED)
    job = smoother.until_ended(smoother.submit("", operation="converse-stream", body=body).json()["id"])
    assert (job["status"], job["calls_made"], job["tries"]) == ("COMPLETED", 2, 0)
    assert job["right_sized"] and job["rerun"]
    calls = smoother.get(f"/v1/jobs/{job['id']}").json()["calls"]
    assert [call["usage"]["output_tokens"] for call in calls] == [64, 300]
    cost = sum(call["charged_tokens"] for call in calls)
    assert job["charged_tokens"] == cost == sum(c["usage"]["input_tokens"] for c in calls) + 5 * (64 + 300)

    # Cut short by its own value, an answer is the answer.
    own = converse(smoother, "Own. [[sim out=300 id=own]]", max_tokens=50)
    assert own.json()["stopReason"] == "max_tokens" and "x-smoother-right-sized" not in own.headers
    assert len(simulator.calls_of("own")) == 1

    # A stream on the line comes as it is generated, unless its caller says otherwise.
    for headers, sent in [({}, ASKED), ({"x-smoother-right-size": "true"}, 64)]:
        mark = f"stream-{sent}"
        prompt = f"Stream. [[sim out=9 id={mark}]]"
        path = f"/model/{models.CLAUDE}/converse-stream"
        stream = smoother.post(path, models.converse_body(prompt, ASKED), headers)
        assert stream.status == 200 and b"messageStop" in stream.body
        assert simulator.calls_of(mark)[0]["max_tokens"] == sent

    other = converse(smoother, "Not now. [[sim out=9 id=not]]", headers={"x-smoother-right-size": "false"})
    assert "x-smoother-right-sized" not in other.headers
    assert simulator.calls_of("not")[0]["max_tokens"] == ASKED
    assert counted(smoother, "smoother_right_size_reruns_total") == 2
    assert counted(smoother, "smoother_right_sized_answers_total") >= 4


def test_what_was_learned_outlives_the_process(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, extra=AGREES)
    teach(smoother, 40)
    assert smoother.stop() == 0
    smoother.start()
    answer = converse(smoother, "After. [[sim out=9 id=after]]")
    assert answer.headers["x-smoother-right-sized"] == "true"
    assert simulator.calls_of("after")[0]["max_tokens"] == 128


def test_a_backlog_without_max_tokens_gets_its_size_while_it_waits(new_simulator, new_smoother):
    """Each of them is priced at 64,000 tokens when it comes; after some answers those that still wait are not."""
    quota = {"tokens_per_minute": 4_000_000}
    simulator = new_simulator({"quota": quota})
    smoother = new_smoother(simulator.url, lanes={"narrow": {**quota, "max_concurrency": 1}}, extra=AGREES)
    body = unset("Waiting. [[sim out=20 latency_ms=100 id=backlog]]")
    with ThreadPoolExecutor(16) as threads:
        accepted = threads.map(lambda _: smoother.submit("", operation="converse", body=body).json()["id"], range(120))
        jobs = list(accepted)
        large = [job["id"] for job in threads.map(smoother.job, jobs) if "right_sized" not in job]
        ended = {job["id"]: job for job in threads.map(lambda id: smoother.until_ended(id, 90), jobs)}
    assert {(job["status"], job["calls_made"]) for job in ended.values()} == {("COMPLETED", 1)}
    assert simulator.throttled() == 0
    resized = [job for job in large if ended[job].get("right_sized")]
    assert len(resized) >= 20, f"{len(resized)} of {len(large)} that came too early were resized"
    sent = [call["max_tokens"] for call in simulator.calls_of("backlog")]
    assert sent[0] == 64_000 and sent.count(128) == sum(bool(job.get("right_sized")) for job in ended.values())
