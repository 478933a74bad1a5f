"""The commands against a deployment on AWS: found by its name, and asked with a signature."""

import json
import subprocess

import pytest

from house import binaries, models
from house.deployed import Door
from house.process import clean_env

OK, USAGE, REFUSED, UNREACHABLE = 0, 2, 4, 5
FRAIL = {"frail": {"max_tries": 1, "breaker_min_calls": 1_000_000}}


@pytest.fixture
def smoother(new_simulator, new_smoother):
    return new_smoother(new_simulator().url, lanes=FRAIL)


@pytest.fixture
def door(smoother):
    door = Door("trial", smoother.url)
    yield door
    door.close()


def cli(door: Door, *arguments: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [binaries.smoother(), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_env(AWS_ENDPOINT_URL=door.url, **env),
    )


def test_every_command_passes_the_door_of_a_deployment(door):
    def run(*arguments: str) -> str:
        done = cli(door, "--target", "aws:trial", *arguments)
        assert done.returncode == OK, done.stderr
        return done.stdout

    job = run("submit", "Hello there. [[sim out=5]]", "-m", models.CLAUDE, "--no-wait").strip()
    run("watch", job)
    assert json.loads(run("status", job, "--json"))["status"] == "COMPLETED"
    assert run("result", job, "--text").strip()
    assert run("submit", "Ünïcode & more? [[sim out=5]]", "-m", models.CLAUDE, "--key", "a b+c").strip()
    assert "frail" in run("lanes")
    dead = run("submit", "Dies. [[sim out=5 fault=500 times=1 id=dies]]", "-m", models.CLAUDE, "--no-wait").strip()
    cli(door, "--target", "aws:trial", "watch", dead)
    assert dead in run("dlq", "list", "--after", "2026-01-01T00:00:00+01:00", "--lane", "frail")
    run("dlq", "redrive", dead)
    run("watch", dead)
    run("lane", "open", "frail")
    waits = run("submit", "Waits. [[sim out=5]]", "-m", models.CLAUDE, "--no-wait").strip()
    run("cancel", waits)
    run("lane", "auto", "frail")
    assert {line.split()[0] for line in door.passed} == {"GET", "POST", "DELETE"}


def test_a_large_job_is_put_into_the_bucket_once_however_often_it_is_handed_in(door, tmp_path):
    text = "Large. [[sim in=9 out=5]] " + "x" * 5_000_000
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"messages": [{"role": "user", "content": [{"text": text}]}]}))
    door.bucket_answers, door.busy = [500, 403], 2
    run = ("--target", "aws:trial", "--tenant", "acme", "submit", "--json-body", str(body), "-m", models.CLAUDE)
    done = cli(door, *run)
    assert done.returncode == OK and done.stdout.strip(), done.stderr
    assert len(door.put_with) == 3 and list(door.places) == ["place-2"]
    assert door.passed.count("POST /v1/jobs") == 3 and door.passed.count("POST /v1/uploads") == 3
    for headers in door.put_with:
        assert not {"authorization", "x-smoother-tenant", "x-amz-security-token"} & set(headers), headers
    assert "secret" not in done.stderr and "place-" not in done.stderr

    door.bucket_answers = [500] * 1_000
    given_up = cli(door, *run, "--patience", "1", "--key", "another")
    assert given_up.returncode != OK and "bucket" in given_up.stderr and "500" in given_up.stderr, given_up.stderr
    assert "secret" not in given_up.stderr


def test_wrong_credentials_are_refused_and_none_are_named(door):
    refused = cli(door, "--target", "aws:trial", "lanes", AWS_SECRET_ACCESS_KEY="another")
    assert refused.returncode == REFUSED, refused.stderr
    none = cli(door, "--target", "aws:trial", "lanes", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert none.returncode == UNREACHABLE and "credentials" in none.stderr, none.stderr
    assert "AKID" not in refused.stderr + none.stderr


def test_a_deployment_that_is_not_there_is_named(door):
    done = cli(door, "--target", "aws", "lanes")
    assert done.returncode == UNREACHABLE and "bedrock-smoother" in done.stderr, done.stderr
    wrong = cli(door, "--target", "aws:", "lanes")
    assert wrong.returncode == USAGE and "aws:NAME" in wrong.stderr


def test_an_open_door_is_asked_without_a_signature(smoother):
    door = Door("trial", smoother.url, auth="NONE")
    try:
        assert cli(door, "--target", "aws:trial", "lanes", AWS_SECRET_ACCESS_KEY="another").returncode == OK
    finally:
        door.close()
