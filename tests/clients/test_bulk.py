"""A file of requests, interrupted at any moment and run again: nothing is submitted twice, nothing is missing."""

import json
import random
import signal
import subprocess

import pytest

from house import binaries, models
from house.process import clean_env

OK, USAGE, UNREACHABLE, NO_ANSWER, INTERRUPTED = 0, 2, 5, 6, 130
LINES = 120
# Few at once, so that a run takes long enough to be interrupted anywhere in it.
LANE = {"bulk": {"max_concurrency": 8}}
# How often a run is ended before one may come to its end.
ENDED = 15


def write(path, mark: str) -> list[str]:
    """A file with one bad line in its middle; the ids that get an answer."""
    lines, ids = [], []
    for n in range(LINES):
        ids.append(f"R{n:04}")
        prompt = f"Line {n}. [[sim out=2 latency_ms={20 + 7 * (n % 5)} id={mark}-{n}]]"
        lines.append(json.dumps({"recordId": ids[-1], "modelInput": models.invoke_body(models.CLAUDE, prompt)}))
    lines.insert(LINES // 2, '{"recordId": "BAD", "modelInput": [1]}')
    # No newline at the end: what an editor left out is no line lost.
    path.write_text("\n".join(lines))
    return ids


def start(smoother, folder) -> subprocess.Popen:
    command = [binaries.smoother(), "submit", "in.jsonl", "-m", models.CLAUDE, "-o", "out.jsonl", "--patience", "30"]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=clean_env(SMOOTHER_SERVER=smoother.url),
    )


def run_interrupted(smoother, folder, chance: random.Random, between=lambda round: None) -> None:
    """Runs the command again and again, ending it at random moments, until it was ended often and a last run has
    come to its end. A run of a file that is answered already is interrupted as well."""
    ended, rounds, code = 0, 0, None
    while ended < ENDED or code not in (OK, NO_ANSWER):
        assert rounds < 100, "it never comes to its end"
        run = start(smoother, folder)
        number = chance.choice([signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
        try:
            # From before its first line to after its last, and later and later, so that one run gets through. A run
            # of a file that is answered takes hardly any time: it is ended early, or it never is.
            answered = code in (OK, NO_ANSWER)
            longest = 0.05 if answered else 0.3 + 0.05 * max(0, rounds - ENDED)
            run.wait(timeout=chance.uniform(0, longest))
        except subprocess.TimeoutExpired:
            run.send_signal(number)
            ended += 1
        said = run.communicate(timeout=60)[1]
        code = run.returncode
        rounds += 1
        if code not in (OK, NO_ANSWER):
            expected = -signal.SIGKILL if number == signal.SIGKILL else INTERRUPTED
            # A signal may come before the command has taken it over.
            assert code in (expected, -number), said
        if (folder / "out.jsonl").exists():
            audit_lines(folder / "out.jsonl")
        between(rounds)


def audit_lines(path) -> dict[str, dict]:
    """The answers by their ids: every line whole, every id once."""
    text = path.read_text()
    assert text.endswith("\n")
    answers = [json.loads(line) for line in text.splitlines()]
    by_id = {answer["recordId"]: answer for answer in answers}
    assert len(by_id) == len(answers) == LINES + 1
    return by_id


def audit(folder, ids: list[str]) -> None:
    answers = audit_lines(folder / "out.jsonl")
    assert set(answers) == {*ids, "BAD"}
    assert answers["BAD"]["error"]["errorCode"] == 400 and "modelOutput" not in answers["BAD"]
    for number, name in enumerate(ids):
        answer = answers[name]
        assert "error" not in answer, answer
        assert answer["modelOutput"]["usage"]["output_tokens"] == 2
        assert f"Line {number}." in json.dumps(answer["modelInput"]), "answers stand with their own requests"
    assert not (folder / "out.jsonl.part").exists()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_file_that_is_interrupted_anywhere_is_answered_whole_and_paid_once(
    new_simulator, new_smoother, tmp_path, seed
):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=LANE)
    ids = write(tmp_path / "in.jsonl", "bulk")
    run_interrupted(smoother, tmp_path, random.Random(seed))
    audit(tmp_path, ids)
    calls = [len(simulator.calls_of(f"bulk-{number}")) for number in range(LINES)]
    assert calls == [1] * LINES, "each line's call was made once"


def test_the_server_may_be_stopped_in_between_and_during_a_run(new_simulator, new_smoother, tmp_path):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=LANE)
    ids = write(tmp_path / "in.jsonl", "stop")

    def restart(round: int) -> None:
        if round % 3 == 0:
            assert smoother.stop() == 0, smoother.process.output()
            smoother.start()

    run_interrupted(smoother, tmp_path, random.Random(3), restart)
    audit(tmp_path, ids)
    calls = [len(simulator.calls_of(f"stop-{number}")) for number in range(LINES)]
    assert calls == [1] * LINES, "a stop finishes what runs"

    # Another run of the file, with the server stopped and started under it.
    ids = write(tmp_path / "in.jsonl", "under")
    run = start(smoother, tmp_path)
    smoother.until(lambda: simulator.calls_of("under-5"), "the run to be under way")
    assert smoother.stop() == 0, smoother.process.output()
    smoother.start()
    said = run.communicate(timeout=60)[1]
    assert run.returncode == NO_ANSWER, said
    assert said.count("waiting for the server") == 1, said
    audit(tmp_path, ids)
    assert [len(simulator.calls_of(f"under-{number}")) for number in range(LINES)] == [1] * LINES


def test_a_server_that_crashes_under_a_run_pays_only_what_it_reports(new_simulator, new_smoother, tmp_path):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url, lanes=LANE)
    ids = write(tmp_path / "in.jsonl", "crash")
    run = start(smoother, tmp_path)
    for number in (10, 40):
        smoother.until(lambda: simulator.calls_of(f"crash-{number}"), "the run to be under way")
        smoother.kill()
        smoother.start()
    said = run.communicate(timeout=90)[1]
    assert run.returncode == NO_ANSWER, said
    audit(tmp_path, ids)
    made = sum(len(simulator.calls_of(f"crash-{number}")) for number in range(LINES))
    jobs, cursor = [], ""
    while cursor is not None:
        page = smoother.get(f"/v1/jobs?limit=1000{cursor and f'&cursor={cursor}'}").json()
        jobs += page["jobs"]
        cursor = page.get("next_cursor")
    assert len(jobs) == LINES, "no line became two jobs"
    reported = sum(job["calls_made"] for job in jobs)
    assert LINES <= made <= reported <= LINES + 2 * 8


def test_a_server_that_stays_away_ends_a_wait_with_words_and_a_code(new_simulator, new_smoother):
    smoother = new_smoother(new_simulator().url)
    command = [binaries.smoother(), "submit", "Slow. [[sim latency_ms=60000]]", "-m", models.CLAUDE, "--patience", "1"]
    run = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_env(SMOOTHER_SERVER=smoother.url)
    )
    first = run.stderr.readline()
    job_id = first.split()[1].rstrip(",")
    assert first.startswith("job ") and smoother.job(job_id)["id"] == job_id, "the id is told before the answer"
    # Its question must be under way, or the end of the server would be a mistake to report at once.
    smoother.until(lambda: smoother.job(job_id)["status"] == "PROCESSING", "the call to be under way")
    smoother.kill()
    out, rest = run.communicate(timeout=30)
    assert run.returncode == UNREACHABLE, rest
    assert out == "" and rest.count("waiting for the server") == 1 and "error:" in rest, rest


def test_an_operation_whose_answers_no_line_can_hold_is_refused_before_anything_is_sent(
    new_simulator, new_smoother, tmp_path
):
    simulator = new_simulator()
    smoother = new_smoother(simulator.url)
    write(tmp_path / "in.jsonl", "stream")
    command = [binaries.smoother(), "submit", "in.jsonl", "-m", models.CLAUDE, "--operation", "converse-stream"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=30, cwd=tmp_path, env=clean_env(SMOOTHER_SERVER=smoother.url)
    )
    assert done.returncode == USAGE and "converse-stream" in done.stderr, done.stderr
    assert smoother.get("/v1/jobs").json()["jobs"] == [] and simulator.stats()["calls"] == 0
