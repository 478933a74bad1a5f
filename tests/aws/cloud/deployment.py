"""The deployment: synthesized and deployed by the CDK's stock command, as a user does it."""

import json
import subprocess
from pathlib import Path

import boto3
from house.process import clean_env

from .binaries import CDK, bootstrap, cdk
from .emulator import Emulator

ACCOUNT = "000000000000"
REGION = "us-east-1"
NAME = "smoother"


class Deployment:
    """One stack in one emulator. `context` are the parameters that differ from the tests' own."""

    def __init__(self, emulator: Emulator, folder: Path, config: str, **context: str):
        self.emulator = emulator
        self.folder = folder
        self.config = folder / "smoother.toml"
        self.config.write_text(config)
        self.context = {
            "name": NAME,
            "aws_region": REGION,
            "notification_email": "ops@example.com",
            "config": str(self.config),
            "bootstrap": str(bootstrap()),
            "removal": "destroy",
            "local": emulator.url,
            "trust_tenant": "true",
            **context,
        }
        self._run("bootstrap", f"aws://{ACCOUNT}/{REGION}")
        self._deploy()

    def _deploy(self) -> None:
        outputs = self.folder / "outputs.json"
        self._run("deploy", "--require-approval", "never", "--outputs-file", str(outputs))
        self.outputs: dict[str, str] = json.loads(outputs.read_text())[self.context["name"]]

    def redeploy(self, config: str) -> None:
        """Deploys anew with another configuration."""
        self.config.write_text(config)
        self._deploy()

    def destroy(self) -> None:
        self._run("destroy", "--force")

    def client(self, service: str):
        """boto3's client of a service of the emulator."""
        return boto3.client(service, endpoint_url=self.emulator.url, region_name=REGION)

    def function(self, role: str) -> str:
        return f"{self.context['name']}-{role}"

    def _run(self, command: str, *arguments: str) -> None:
        context = [word for key, value in self.context.items() for word in ("-c", f"{key}={value}")]
        done = subprocess.run(
            [str(cdk()), command, *arguments, *context, "--output", str(self.folder / "cdk.out"), "--ci"],
            cwd=CDK,
            env=clean_env(
                AWS_ENDPOINT_URL=self.emulator.url,
                AWS_ENDPOINT_URL_S3=self.emulator.url,
                CDK_DISABLE_CLI_TELEMETRY="true",
                NO_COLOR="1",
            ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        log = self.folder / f"cdk-{command}.log"
        log.write_text(done.stdout + done.stderr)
        if done.returncode != 0:
            raise RuntimeError(f"cdk {command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
