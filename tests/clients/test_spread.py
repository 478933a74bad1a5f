"""Two lanes of one model share its load by what each has free."""

from concurrent.futures import ThreadPoolExecutor

from house import models
from house.upstream import EAST, WEST, faults

# Three parts to one.
QUOTAS = {EAST: 900_000, WEST: 300_000}


def stand(new_simulator, new_smoother, base_ms: int = 0):
    limiter = {"limiter": "bucket", "bucket_seconds": 10}
    regions = {name: {"quota": {"tokens_per_minute": quota}} for name, quota in QUOTAS.items()}
    simulator = new_simulator({"quota": limiter, "regions": regions, "latency": {"base_ms": base_ms}})
    lanes = {
        name: {"models": [models.CLAUDE], "region": name, "tokens_per_minute": quota}
        for name, quota in QUOTAS.items()
    }
    return simulator, new_smoother(simulator.url, lanes=lanes)


def test_calls_are_shared_by_free_quota(new_simulator, new_smoother):
    simulator, smoother = stand(new_simulator, new_smoother)
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda n: smoother.converse(f"Call {n}. [[sim in=20 out=5]]"), range(300))
        assert {answer.status for answer in answers} == {200}
    east, west = simulator.calls_in(EAST), simulator.calls_in(WEST)
    assert east + west == 300
    # Drawn with 3 in 4 for the east: 300 draws stray less than 0.13 from that (five standard deviations).
    assert 0.62 <= east / 300 <= 0.88, (east, west)
    assert simulator.throttled() == 0


def test_a_backlog_drains_by_both_quotas(new_simulator, new_smoother):
    # 300,000 tokens reserved over bursts of 150,000 and 50,000 and 20,000 a second.
    simulator, smoother = stand(new_simulator, new_smoother, base_ms=50)
    body = models.converse_body(f"[[sim out=100]] {'word ' * 400}", 500)
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: smoother.submit("", body=body).json()["id"], range(300)))
    ended = [smoother.until_ended(job, 90) for job in jobs]
    assert {job["status"] for job in ended} == {"COMPLETED"}
    assert all("hops" not in job for job in ended), "nobody had to change lanes"
    east, west = simulator.calls_in(EAST), simulator.calls_in(WEST)
    assert 0.65 <= east / (east + west) <= 0.85, (east, west)
    assert simulator.throttled() <= 3


def test_a_lane_that_is_out_gets_nobody_and_the_other_takes_all(new_simulator, new_smoother):
    simulator, smoother = stand(new_simulator, new_smoother)
    simulator.play(faults({"503": 1}, [EAST]))
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: smoother.converse(f"Call {n}. [[sim in=20 out=5]]"), range(100)))
    assert {answer.status for answer in answers} == {200}
    ended = [smoother.job(answer.headers["x-smoother-job-id"]) for answer in answers]
    assert {job["served_by"]["lane"] for job in ended} == {WEST}
    # The breaker opens at the twentieth failure; what was under way then and a few probes come on top.
    assert 20 <= simulator.calls_in(EAST) <= 20 + 16 + 30
