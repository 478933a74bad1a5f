"""The synthesized template, by the judgement of cfn-lint."""

import platform
import subprocess
from pathlib import Path

import pytest
from cloud.binaries import CDK, ROOT, bootstrap, cdk
from house.process import clean_env

# Each with its reason; everything else cfn-lint finds fails the test.
EXPLAINED = {
    "W3005": "The CDK writes a dependency that a reference implies as well; it harms nothing.",
}


@pytest.mark.parametrize("context", [{}, {"encryption": "kms", "removal": "destroy", "auth": "NONE"}], ids=["default", "other"])
def test_cfn_lint_is_content(tmp_path: Path, context: dict[str, str]):
    done = synth(tmp_path, context)
    assert done.returncode == 0, done.stdout + done.stderr
    ignored = [word for rule in EXPLAINED for word in ("--ignore-checks", rule)]
    template = tmp_path / "out" / "bedrock-smoother.template.json"
    # The template comes first: the option takes all that follows it.
    done = run([str(ROOT / ".venv-aws" / "bin" / "cfn-lint"), str(template), *ignored])
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_binary_for_another_processor_is_refused_before_anything_is_deployed(tmp_path: Path):
    other = "x86_64" if platform.machine() in ("aarch64", "arm64") else "arm64"
    done = synth(tmp_path, {"architecture": other})
    assert done.returncode != 0
    assert f"not for {other}: build it with" in done.stderr
    assert not (tmp_path / "out" / "bedrock-smoother.template.json").exists()


def synth(folder: Path, context: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The template of a small deployment, whose binary is the one that was built here."""
    (folder / "smoother.toml").write_text(
        '[lanes.sonnet]\nmodels = ["us.anthropic.claude-sonnet-4-5-20250929-v1:0"]\n'
        'region = "us-east-1"\ntokens_per_minute = 300000\n'
    )
    parameters = {
        "notification_email": "ops@example.com",
        "config": str(folder / "smoother.toml"),
        "bootstrap": str(bootstrap()),
        "architecture": "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64",
        **context,
    }
    arguments = [word for key, value in parameters.items() for word in ("-c", f"{key}={value}")]
    return run([str(cdk()), "synth", "--quiet", "--output", str(folder / "out"), *arguments], cwd=CDK)


def run(command: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=clean_env(NO_COLOR="1"), capture_output=True, text=True, timeout=300)
