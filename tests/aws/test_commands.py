"""The smoother's own commands against the deployment."""

import json
import subprocess

import pytest
from cloud.lanes import ROOMY
from cloud.town import Town
from house import binaries
from house.deployed import Door
from house.process import clean_env

pytestmark = pytest.mark.pipeline

OK, NOT_FOUND = 0, 3


def test_jobs_are_submitted_followed_listed_and_called_off_by_command(town: Town, tmp_path, request):
    # The emulator names the function's URL as AWS would, and serves it at an address of its own.
    door = Door("smoother", "", elsewhere=town.http_url)
    request.addfinalizer(door.close)

    def run(*arguments: str, code: int = OK) -> str:
        command = [binaries.smoother(), "--target", "aws:smoother", *arguments]
        env = clean_env(AWS_ENDPOINT_URL=door.url)
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=env)
        assert done.returncode == code, done.stderr
        return done.stdout

    prompt = "Hello. [[sim out=5]]"
    assert run("submit", prompt, "-m", ROOMY).strip()
    job = run("submit", prompt, "-m", ROOMY, "--no-wait").strip()
    run("watch", job)
    assert json.loads(run("status", job, "--json"))["status"] == "COMPLETED"
    assert run("result", job, "--text").strip()
    lines = [
        {"recordId": f"r{n}", "modelInput": {"messages": [{"role": "user", "content": [{"text": f"{n} [[sim out=5]]"}]}]}}
        for n in range(12)
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run("submit", "in.jsonl", "-m", ROOMY, "-o", "out.jsonl")
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {answer["recordId"] for answer in answers} == {f"r{n}" for n in range(12)}
    assert all("modelOutput" in answer for answer in answers)
    assert {"steady", "roomy"} <= {lane["lane"] for lane in json.loads(run("lanes", "--json"))["lanes"]}
    slow = run("submit", "Slow. [[sim out=5 latency_ms=4000]]", "-m", ROOMY, "--no-wait").strip()
    run("cancel", slow)
    assert json.loads(run("dlq", "list", "--json"))["letters"] == []
    run("status", "0190a0b1-c2d3-7e4f-8a5b-6c7d8e9f0a1b", code=NOT_FOUND)
