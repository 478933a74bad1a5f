"""An upstream in trouble is called less: a retry budget, and a breaker that opens, probes and closes."""

from concurrent.futures import ThreadPoolExecutor

from house import models
from house.upstream import EAST, faults, lane

OPEN_MS = 1_500
NEVER = 1_000_000


def one_lane(**keys) -> dict:
    return {"east": {"models": [models.CLAUDE], "region": EAST, "max_tries": 100, **keys}}


def submit(smoother, count: int, **fields) -> list[str]:
    """Jobs whose calls the simulator lists; their ids."""
    return [smoother.submit(f"Job {n}. [[sim out=3 id=job-{n}]]", **fields).json()["id"] for n in range(count)]


def retries_of(simulator) -> tuple[int, int]:
    """Calls, and how many of them were not the first of their job, by the simulator's own count."""
    calls = simulator.calls()
    return len(calls), len(calls) - len({call["id"] for call in calls})


def test_retries_stay_within_a_fifth_and_every_job_gets_its_answer(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=one_lane(breaker_min_calls=NEVER))
    simulator.play(faults({"500": 0.6}))
    began = simulator.stats()["uptime_ms"]
    jobs = submit(smoother, 200)
    smoother.until(lambda: len({call["id"] for call in simulator.calls()}) == 200, "a first call of each job")
    calls, retries = retries_of(simulator)
    seconds = (simulator.stats()["uptime_ms"] - began) / 1_000
    # A fifth, and beside it ten at once and one a second.
    assert 10 <= retries <= calls / 5 + 10 + seconds + 1, f"{retries} of {calls} in {seconds} s"
    simulator.silence()
    ended = [smoother.until_ended(job) for job in jobs]
    assert {job["status"] for job in ended} == {"COMPLETED"}
    assert max(job["tries"] for job in ended) >= 1


def test_the_breaker_opens_lets_nothing_through_probes_and_closes(new_simulator, new_smoother):
    simulator = new_simulator()
    keys = {"breaker_min_calls": 10, "breaker_open_ms": OPEN_MS, "max_concurrency": 10, "breaker_probes": 2}
    smoother = new_smoother(simulator.url, lanes=one_lane(**keys))
    simulator.play(faults({"500": 1}))
    jobs = submit(smoother, 40)
    smoother.until(lambda: lane(smoother, "east")["breaker"]["opened"] >= 2, "a probe that failed")
    assert all(smoother.job(job)["status"] in ("QUEUED", "PROCESSING") for job in jobs)

    # By the simulator's own count: silences as long as the breaker is open, and between two no more than probes.
    arrivals = sorted(call["arrival_ms"] for call in simulator.calls())
    pauses = [n for n, (a, b) in enumerate(zip(arrivals, arrivals[1:], strict=False)) if b - a >= OPEN_MS * 0.8]
    assert pauses, arrivals
    assert pauses[0] + 1 >= 10, "not before ten calls had failed"
    probes = [b - a for a, b in zip(pauses, pauses[1:], strict=False)]
    assert all(1 <= count <= 2 for count in probes), arrivals

    simulator.silence()
    assert {smoother.until_ended(job, 60)["status"] for job in jobs} == {"COMPLETED"}
    breaker = lane(smoother, "east")["breaker"]
    assert breaker["state"] == "closed" and breaker["opened"] >= 2


def test_throttles_never_open_it(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=one_lane(breaker_min_calls=3))
    shares = {"throttle": 0.3, "throttle-requests": 0.2, "throttle-connections": 0.3, "503-connections": 0.2}
    simulator.play(faults(shares))
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda n: submit(smoother, 2)[1], range(8)))
    smoother.until(lambda: simulator.stats()["calls"] >= 12, "a dozen refusals", 60)
    simulator.silence()
    assert {smoother.until_ended(job, 60)["status"] for job in jobs} == {"COMPLETED"}
    found = lane(smoother, "east")
    assert found["breaker"]["opened"] == 0 and found["breaker"]["failed"] == 0
    assert sum(found["throttles"].values()) >= 12


def test_an_open_breaker_is_still_open_after_a_restart(new_simulator, new_smoother):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=one_lane(breaker_min_calls=5, breaker_open_ms=60_000))
    simulator.play(faults({"503": 1}))
    jobs = submit(smoother, 10)
    smoother.until(lambda: lane(smoother, "east")["breaker"]["state"] == "open", "the breaker to open")
    assert smoother.stop() == 0
    before = simulator.stats()["calls"]
    smoother.start()
    assert lane(smoother, "east")["breaker"]["state"] == "open"
    assert {smoother.job(job)["status"] for job in jobs} == {"QUEUED"}
    assert simulator.stats()["calls"] == before
