"""The smoother's own commands against the deployment."""

import json
from pathlib import Path

import pytest
from cloud.command import NOT_FOUND, Command
from cloud.lanes import ROOMY

pytestmark = pytest.mark.pipeline


def test_jobs_are_submitted_followed_listed_and_called_off_by_command(command: Command, tmp_path: Path):
    run = command
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
    large = "Large. [[sim in=9 out=5]] " + "x" * 5_000_000
    (tmp_path / "large.json").write_text(json.dumps({"messages": [{"role": "user", "content": [{"text": large}]}]}))
    assert run("submit", "--json-body", "large.json", "-m", ROOMY).strip()
    slow = run("submit", "Slow. [[sim out=5 latency_ms=4000]]", "-m", ROOMY, "--no-wait").strip()
    run("cancel", slow)
    assert json.loads(run("dlq", "list", "--lane", "roomy", "--json"))["letters"] == []
    run("status", "0190a0b1-c2d3-7e4f-8a5b-6c7d8e9f0a1b", code=NOT_FOUND)
