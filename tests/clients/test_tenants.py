"""Tenants by a trusted header: settings of their own, jobs that only they see, and the command in a tenant's name."""

import subprocess

import boto3
from botocore.config import Config

from house import binaries, models
from house.process import clean_env

TENANTS = '[tenants.acme]\nhighest_priority = "normal"\n'
TRUST = {"trust_tenant": True}


def named(tenant: str) -> dict[str, str]:
    return {"x-smoother-tenant": tenant}


def command(smoother, *arguments: str, tenant: str | None = None) -> subprocess.CompletedProcess:
    flags = ["--tenant", tenant] if tenant else []
    return subprocess.run(
        [binaries.smoother(), *flags, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_env(SMOOTHER_SERVER=smoother.url),
    )


def test_a_trusted_tenant_has_its_own_settings_and_jobs(simulator, new_smoother):
    smoother = new_smoother(simulator.url, server=TRUST, extra=TENANTS)
    refused = smoother.converse("Hello", headers={**named("acme"), "x-smoother-priority": "interactive"})
    assert refused.status == 400 and "tenant acme" in refused.json()["message"]
    assert smoother.converse("Hello", headers={"x-smoother-priority": "interactive"}).status == 200

    job = smoother.submit("Hello", headers=named("acme")).json()["id"]
    assert smoother.get(f"/v1/jobs/{job}").status == 404
    assert smoother.get(f"/v1/jobs/{job}", headers=named("other")).status == 404
    ended = smoother.until(
        lambda: (found := smoother.get(f"/v1/jobs/{job}?wait_ms=20000", headers=named("acme")).json())["status"]
        == "COMPLETED"
        and found,
        "the job to end",
    )
    assert ended["tenant"] == "acme"
    own = smoother.get("/v1/jobs", headers=named("acme")).json()["jobs"]
    assert [each["tenant"] for each in own] == ["acme"]
    assert all(each["tenant"] == "default" for each in smoother.get("/v1/jobs").json()["jobs"])

    assert command(smoother, "status", job).returncode == 3
    shown = command(smoother, "status", job, tenant="acme")
    assert shown.returncode == 0 and "tenant acme" in shown.stdout, shown
    assert command(smoother, "status", job, tenant="a/b").returncode == 2


def test_boto3_names_its_tenant_by_a_header(simulator, new_smoother):
    smoother = new_smoother(simulator.url, server=TRUST)
    client = boto3.client("bedrock-runtime", endpoint_url=smoother.url, config=Config(retries={"total_max_attempts": 1}))
    client.meta.events.register(
        "before-sign.bedrock-runtime.*",
        lambda request, **_: request.headers.add_header("x-smoother-tenant", "acme"),
    )
    messages = [{"role": "user", "content": [{"text": "Hello"}]}]
    client.converse(modelId=models.CLAUDE, messages=messages, inferenceConfig={"maxTokens": 20})
    jobs = smoother.get("/v1/jobs", headers=named("acme")).json()["jobs"]
    assert [job["tenant"] for job in jobs] == ["acme"]


def test_a_name_that_is_not_trusted_is_not_read(smoother):
    job = smoother.submit("Hello", headers=named("acme")).json()["id"]
    assert smoother.until_ended(job)["tenant"] == "default"
