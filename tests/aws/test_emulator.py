"""The emulator as these tests run it: what it is given beside MiniStack's own behaviour."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import boto3
from cloud.emulator import MAIN, PYTHON, Emulator
from house.ports import free_port

# Answers as a function with response streaming does: its head as JSON, eight zeros, its bytes.
STREAMS = f"""#!{sys.executable}
import json, os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(api + "next") as asked:
        request = asked.headers["Lambda-Runtime-Aws-Request-Id"]
    head = json.dumps({{"statusCode": 201, "headers": {{"x-kind": "frames"}}}}).encode()
    answer = urllib.request.Request(api + request + "/response", data=head + bytes(8) + bytes(range(256)), method="POST")
    answer.add_header("Lambda-Runtime-Function-Response-Mode", "streaming")
    urllib.request.urlopen(answer).read()
"""


def zipped(bootstrap: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, bootstrap)
    return buffer.getvalue()


def test_a_streamed_answer_keeps_its_status_its_headers_and_its_bytes(tmp_path: Path):
    emulator = Emulator(tmp_path)
    try:
        functions = boto3.client("lambda", endpoint_url=emulator.url, region_name="us-east-1")
        functions.create_function(
            FunctionName="streams",
            Runtime="provided.al2023",
            Handler="streams",
            Role="arn:aws:iam::000000000000:role/any",
            Code={"ZipFile": zipped(STREAMS)},
        )
        made = functions.create_function_url_config(
            FunctionName="streams", AuthType="NONE", InvokeMode="RESPONSE_STREAM"
        )
        name = made["FunctionUrl"].split("//")[1].split(".")[0]
        with urllib.request.urlopen(f"{emulator.url}/_aws/lambda-url/{name}/any", timeout=30) as answer:
            assert (answer.status, answer.headers["x-kind"]) == (201, "frames")
            assert answer.read() == bytes(range(256))
    finally:
        emulator.stop()
    assert not Path(f"/proc/{emulator.pid}").exists()


def test_it_ends_with_whoever_started_it(tmp_path: Path):
    starts = f"""
import json, subprocess, sys, time
child = subprocess.Popen({[str(PYTHON), str(MAIN), "--port", str(free_port())]!r}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
for line in child.stdout:
    if line.startswith(b'{{"url"'):
        print(line.decode(), flush=True)
        time.sleep(600)
"""
    parent = subprocess.Popen([sys.executable, "-c", starts], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    pid = json.loads(parent.stdout.readline())["pid"]
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and alive(pid):
        time.sleep(0.05)
    assert not alive(pid)


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and that nobody waits for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
