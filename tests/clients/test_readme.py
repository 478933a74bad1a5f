"""What README.md shows is what happens: its examples are run as they stand, at the test server's address."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from house import binaries
from house.process import clean_env

README = (Path(__file__).parents[2] / "README.md").read_text()
SHOWN = "http://127.0.0.1:8080"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def the(language: str, holding: str) -> str:
    found = [block for block in blocks(language) if holding in block]
    assert len(found) == 1, f"README.md has {len(found)} {language} examples with {holding!r}"
    return found[0]


def test_the_first_call_answers(smoother):
    command = the("sh", "/converse").replace(SHOWN, smoother.url)
    done = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["output"]["message"]["content"][0]["text"], done.stderr


def test_the_job_shown_is_taken(smoother):
    command = the("sh", "/v1/jobs").replace(SHOWN, smoother.url)
    done = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, timeout=60)
    assert smoother.until_ended(json.loads(done.stdout)["id"])["status"] == "COMPLETED", done.stderr


def test_boto3_needs_only_another_endpoint(smoother):
    scope: dict = {}
    exec(the("python", "boto3.client").replace(SHOWN, smoother.url), scope)
    model = re.search(r"models = \[\"(.*?)\"\]", README).group(1)
    answer = scope["client"].converse(
        modelId=model, messages=[{"role": "user", "content": [{"text": "Say hello."}]}]
    )
    assert answer["output"]["message"]["content"][0]["text"]


@pytest.mark.parametrize("shown", blocks("toml"))
def test_the_configurations_shown_are_right(shown, tmp_path):
    (tmp_path / "smoother.toml").write_text(shown)
    check = [binaries.smoother(), "check-config", "smoother.toml"]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, timeout=30, env=clean_env())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", [line for line in the("sh", "smoother submit").splitlines() if "submit" in line])
def test_the_shell_examples_run(line, smoother, tmp_path):
    body = {"messages": [{"role": "user", "content": [{"text": "One. [[sim out=3]]"}]}]}
    (tmp_path / "requests.jsonl").write_text(json.dumps({"recordId": "1", "modelInput": body}) + "\n")
    model = re.search(r"export SMOOTHER_MODEL=(\S+)", README).group(1)
    path = f"{Path(binaries.smoother()).parent}:{os.environ['PATH']}"
    env = clean_env(SMOOTHER_SERVER=smoother.url, SMOOTHER_MODEL=model, PATH=path)
    done = subprocess.run(
        ["bash", "-euc", line], cwd=tmp_path, capture_output=True, text=True, timeout=60, env=env
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() or (tmp_path / "answers.jsonl").read_text().strip()
