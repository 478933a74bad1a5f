"""The synthesized template, by the judgement of cfn-lint."""

import subprocess
from pathlib import Path

import pytest
from cloud.binaries import CDK, ROOT, cdk
from house.process import clean_env

# Each with its reason; everything else cfn-lint finds fails the test.
EXPLAINED = {
    "W3005": "The CDK writes a dependency that a reference implies as well; it harms nothing.",
}


@pytest.mark.parametrize("context", [{}, {"encryption": "kms", "removal": "destroy", "auth": "NONE"}], ids=["default", "other"])
def test_cfn_lint_is_content(tmp_path: Path, context: dict[str, str]):
    (tmp_path / "bootstrap").write_text("#!/bin/true\n")
    (tmp_path / "smoother.toml").write_text(
        '[lanes.sonnet]\nmodels = ["us.anthropic.claude-sonnet-4-5-20250929-v1:0"]\n'
        'region = "us-east-1"\ntokens_per_minute = 300000\n'
    )
    parameters = {
        "notification_email": "ops@example.com",
        "config": str(tmp_path / "smoother.toml"),
        "bootstrap": str(tmp_path / "bootstrap"),
        **context,
    }
    arguments = [word for key, value in parameters.items() for word in ("-c", f"{key}={value}")]
    run([str(cdk()), "synth", "--quiet", "--output", str(tmp_path / "out"), *arguments], cwd=CDK)
    ignored = [word for rule in EXPLAINED for word in ("--ignore-checks", rule)]
    template = tmp_path / "out" / "bedrock-smoother.template.json"
    # The template comes first: the option takes all that follows it.
    run([str(ROOT / ".venv-aws" / "bin" / "cfn-lint"), str(template), *ignored])


def run(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, env=clean_env(NO_COLOR="1"), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
