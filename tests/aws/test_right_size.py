"""What ends teach one function the others know: a smaller max_tokens goes, and what waits gets its size."""

import pytest
from cloud.lanes import ROOMY, SLIM
from cloud.town import Town
from house.models import converse_body
from house.simulator import Simulator

pytestmark = pytest.mark.pipeline

# Of a magnitude that no other test asks for, so that nothing else is learned of it.
ASKED = 1_500
# Four times the longest of 10 tokens, in steps of 64.
SIZE = 64
AGREES = {"x-smoother-right-size": "true"}


def agreeing(model: str, prompt: str) -> dict:
    return {"model": model, "prompt": prompt, "max_tokens": ASKED, "right_size": True}


def converse(town: Town, prompt: str):
    return town.ask("POST", f"/model/{ROOMY}/converse", converse_body(prompt, ASKED), AGREES)


def test_answers_to_jobs_size_the_calls_of_another_function(town: Town, simulator: Simulator):
    first = converse(town, "First. [[sim out=10 id=sized-first]]")
    assert first.status == 200 and "x-smoother-right-sized" not in first.headers
    assert simulator.calls_of("sized-first")[0]["max_tokens"] == ASKED, "nothing is known"
    # By the queue, whose messages another function takes in.
    town.send([(agreeing(ROOMY, f"Teaches {n}. [[sim out=10 id=teaches]]"), {}) for n in range(40)])
    town.until(lambda: len(simulator.calls_of("teaches")) == 40, "forty answers")

    tries = iter(range(1_000))

    def sized():
        answer = converse(town, f"Short. [[sim out=9 id=sized-{next(tries)}]]")
        assert answer.status == 200, answer
        return answer if answer.headers.get("x-smoother-right-sized") == "true" else None

    town.until(sized, "a call to be right-sized")
    last = next(tries) - 1
    assert simulator.calls_of(f"sized-{last}")[0]["max_tokens"] == SIZE

    # Longer than any answer before: cut short, nobody sees that, and it is made again with its own value.
    long = converse(town, "Long. [[sim out=300 id=sized-long]]")
    assert long.status == 200 and long.headers["x-smoother-right-sized"] == "rerun"
    assert long.headers["x-smoother-calls"] == "2" and long.json()["usage"]["outputTokens"] == 300
    assert [call["max_tokens"] for call in simulator.calls_of("sized-long")] == [SIZE, ASKED]


def test_a_backlog_gets_its_size_while_it_waits(town: Town, simulator: Simulator):
    """Each of them is priced at its own max_tokens when it comes; after some answers those that still wait are not."""
    # Held until all have come: none of them can know.
    town.hold("slim")
    try:
        town.send([(agreeing(SLIM, f"Waits {n}. [[sim out=10 latency_ms=300 id=backlog]]"), {}) for n in range(100)])
        town.until(lambda: town.lane("slim")["waiting"]["normal"]["requests"] == 100, "all to wait")
    finally:
        town.hold("slim", "closed")
    town.until(lambda: len(simulator.calls_of("backlog")) == 100, "all to be called")

    sent = [call["max_tokens"] for call in simulator.calls_of("backlog")]
    assert sent[:20] == [ASKED] * 20, "so few tell nothing"
    assert set(sent) == {ASKED, SIZE} and sent.count(SIZE) >= 30, sent

    def ended() -> list[dict]:
        jobs = [event["job"] for event in town.results.jobs().values()]
        return [job for job in jobs if job["lane"] == "slim" and job.get("right_sized")]

    town.until(lambda: len(ended()) == sent.count(SIZE), "their ends")
    assert {(job["status"], job["calls_made"]) for job in ended()} == {("COMPLETED", 1)}
