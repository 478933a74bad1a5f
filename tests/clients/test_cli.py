"""The `smoother` command as a script would use it: output, exit codes, the batch form."""

import json
import signal
import subprocess

import pytest

from house import binaries, models
from house.http import request
from house.ports import free_port
from house.process import Process, clean_env

OK, USAGE, NOT_FOUND, REFUSED, UNREACHABLE, NO_ANSWER, NOT_YET = 0, 2, 3, 4, 5, 6, 7


def run(*arguments: str, server: str, stdin: str = "", cwd=None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [binaries.smoother(), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env=clean_env(SMOOTHER_SERVER=server),
    )


@pytest.fixture
def cli(smoother):
    return lambda *arguments, **options: run(*arguments, server=smoother.url, **options)


def test_submit_prints_the_answer(cli, smoother):
    done = cli("submit", "Name three rivers. [[sim out=8]]", "--model", models.CLAUDE)
    assert done.returncode == OK, done.stderr
    direct = smoother.converse("Name three rivers. [[sim out=8]]").json()
    assert done.stdout.strip() == direct["output"]["message"]["content"][0]["text"].strip()


def test_submit_reads_a_prompt_from_stdin(cli):
    done = cli("submit", "-", "--model", models.CLAUDE, stdin="Name three rivers. [[sim out=8]]")
    assert done.returncode == OK and done.stdout.strip()


def test_submit_sends_a_body_as_it_is_written(cli, tmp_path):
    body = tmp_path / "body.json"
    body.write_text(json.dumps(models.converse_body("From a file. [[sim out=4]]")))
    done = cli("submit", "--json-body", str(body), "--model", models.CLAUDE, "--json")
    assert done.returncode == OK, done.stderr
    assert json.loads(done.stdout)


def test_a_job_by_its_id(cli):
    handed_in = cli("submit", "Later. [[sim out=3]]", "--model", models.CLAUDE, "--no-wait")
    assert handed_in.returncode == OK, handed_in.stderr
    job_id = handed_in.stdout.split()[-1]
    watched = cli("watch", job_id)
    assert watched.returncode == OK, watched.stderr
    status = cli("status", job_id, "--json")
    assert json.loads(status.stdout)["status"] == "COMPLETED"
    result = cli("result", job_id)
    assert json.loads(result.stdout)["usage"]["outputTokens"] == 3
    assert cli("cancel", job_id).returncode in (OK, REFUSED)


def test_a_job_that_has_not_ended(cli, smoother):
    job_id = smoother.submit("Slow. [[sim latency_ms=20000]]").json()["id"]
    assert cli("result", job_id).returncode == NOT_YET
    assert cli("cancel", job_id).returncode == OK
    assert cli("result", job_id).returncode == NO_ANSWER


def test_exit_codes_of_what_went_wrong(cli):
    assert cli("submit").returncode == USAGE
    assert cli("no-such-command").returncode == USAGE
    assert cli("status", "0190163d-8694-739b-aea5-966c26f8ad90").returncode == NOT_FOUND
    refused = cli("submit", "Hello.", "--model", "acme.unheard-of-v1:0")
    assert refused.returncode == REFUSED
    assert "acme.unheard-of-v1:0" in refused.stderr
    failed = cli("submit", "Hello. [[sim fault=400]]", "--model", models.CLAUDE)
    assert failed.returncode == NO_ANSWER and "ValidationException" in failed.stderr
    nobody = run("lanes", server="http://127.0.0.1:9")
    assert nobody.returncode == UNREACHABLE and nobody.stderr


def test_lanes_as_json_and_without_colours_in_a_pipe(cli):
    assert json.loads(cli("lanes", "--json").stdout)
    table = cli("lanes")
    assert table.returncode == OK and "everything" in table.stdout
    assert "\x1b[" not in table.stdout


def batch_lines(count: int) -> str:
    lines = [
        json.dumps(
            {
                "recordId": f"R{n:05}",
                "modelInput": models.invoke_body(models.CLAUDE, f"Line {n}. [[sim out={n % 7 + 1}]]"),
            }
        )
        for n in range(count)
    ]
    return "\n".join(lines) + "\n"


def test_a_batch_file_in_and_out_in_bedrocks_form(cli, tmp_path):
    (tmp_path / "in.jsonl").write_text(batch_lines(200))
    done = cli("submit", "in.jsonl", "--model", models.CLAUDE, "--output", "out.jsonl", cwd=tmp_path)
    assert done.returncode == OK, done.stderr
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {answer["recordId"] for answer in answers} == {f"R{n:05}" for n in range(200)}
    for answer in answers:
        assert answer["modelOutput"]["usage"]["output_tokens"] == int(answer["recordId"][1:]) % 7 + 1
        assert answer["modelInput"]["messages"]


def test_a_bad_line_is_reported_in_its_place_and_harms_no_other(cli, tmp_path):
    lines = batch_lines(3) + "this is no JSON\n" + json.dumps(
        {"recordId": "BAD", "modelInput": models.invoke_body(models.CLAUDE, "Bad. [[sim fault=400]]")}
    )
    (tmp_path / "in.jsonl").write_text(lines)
    done = cli("submit", "in.jsonl", "--model", models.CLAUDE, "--output", "out.jsonl", cwd=tmp_path)
    assert done.returncode == NO_ANSWER
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(answers) == 5
    assert sum("modelOutput" in answer for answer in answers) == 3
    bad = next(answer for answer in answers if answer["recordId"] == "BAD")
    assert bad["error"]["errorMessage"]


def test_a_batch_run_twice_pays_once(cli, tmp_path, simulator):
    marked = [
        json.dumps(
            {"recordId": f"T{n}", "modelInput": models.invoke_body(models.CLAUDE, f"{n} [[sim out=1 id=twice]]")}
        )
        for n in range(5)
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(marked))
    for _ in range(2):
        done = cli("submit", "in.jsonl", "--model", models.CLAUDE, "--output", "out.jsonl", cwd=tmp_path)
        assert done.returncode == OK, done.stderr
    assert len(simulator.calls_of("twice")) == 5


def test_check_config_names_every_mistake(tmp_path):
    config = tmp_path / "smoother.toml"
    config.write_text('[server]\nlisten = "nowhere"\ncolour = "blue"\n\n[lanes.a]\nmodels = ["m"]\npacing = "hasty"\n')
    done = run("check-config", str(config), server="http://127.0.0.1:9")
    assert done.returncode not in (0, USAGE)
    for expected in ("listen", "nowhere", "colour", "hasty", "tokens_per_minute"):
        assert expected in done.stderr + done.stdout, expected


def test_serve_without_a_lane_brings_its_own_simulator(tmp_path):
    """What `make run` does, on a port of its own."""
    port = free_port()
    process = Process(
        [binaries.smoother(), "serve", "--listen", f"127.0.0.1:{port}", "--data-dir", str(tmp_path / "data")],
        tmp_path / "log",
        tmp_path,
    )
    try:
        process.until_ready(f"http://127.0.0.1:{port}/readyz")
        assert "simulator" in "\n".join(process.output().splitlines()[:6])
        lines = process.output()
        assert "curl" in lines and "boto3.client" in lines and f"127.0.0.1:{port}" in lines
        url = f"http://127.0.0.1:{port}/model/{models.CLAUDE}/converse"
        assert request("POST", url, models.converse_body("Hello.")).status == 200
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
    finally:
        process.kill()
