"""`make aws-figures`: the deployment's figures, in the emulator, beside a bare SQS → Lambda → Bedrock pipeline.

What is measured: the time from sending a message to reading its answer, warm; how often the functions ask which service
of AWS, for a request accepted and for a request served, with few and with many waiting; the time until a new process
takes its first event; the binary's size. An emulator's times say how the two pipelines compare, and not how fast AWS is.
"""

import argparse
import io
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))

from cloud.binaries import ROOT, bootstrap  # noqa: E402
from cloud.deployment import Deployment  # noqa: E402
from cloud.emulator import Emulator  # noqa: E402
from cloud.town import Town  # noqa: E402
from house.models import CLAUDE, NOVA  # noqa: E402
from house.process import AWS_ENV, clean_env  # noqa: E402
from house.server import toml_table  # noqa: E402
from house.simulator import Simulator  # noqa: E402

WIDE, NARROW = NOVA, CLAUDE
INPUT, OUTPUT = 20, 10
# Ten requests a second.
QUOTA = 600 * (INPUT + OUTPUT)
# The burst of an unused quota is ten seconds' worth; what ends while it is looked for comes on top.
BURST = 300
BARE = Path(__file__).with_name("cloud") / "bare.py"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200, help="one after the other, for the latency")
    parser.add_argument("--waiting", type=int, nargs="+", default=[100, 10_000])
    parser.add_argument("--served", type=int, default=300, help="requests over which calls are counted")
    parser.add_argument("--out", type=Path, help="write the report here; else it is printed only")
    return parser.parse_args()


def lanes(endpoint: str) -> str:
    common = {
        "region": "us-east-1",
        "endpoint": endpoint,
        "output_burndown": 1,
        "max_output_tokens": 4_096,
        "max_concurrency": 64,
    }
    wide = {**common, "models": [WIDE], "tokens_per_minute": 100_000_000}
    narrow = {**common, "models": [NARROW], "tokens_per_minute": QUOTA}
    return toml_table("lanes.wide", wide) + "\n" + toml_table("lanes.narrow", narrow)


def job(model: str) -> dict:
    return {"model": model, "prompt": f"Hello. [[sim in={INPUT} out={OUTPUT}]]", "max_tokens": OUTPUT}


def milliseconds(times: list[float]) -> tuple[float, float]:
    """p50 and p99."""
    cuts = quantiles(times, n=100, method="inclusive")
    return cuts[49] * 1_000, cuts[98] * 1_000


def latency(town: Town, count: int) -> tuple[float, float]:
    times = []
    for _ in range(count + 10):
        before = len(town.results.events())
        began = time.monotonic()
        town.send([(job(WIDE), {})])
        while len(town.results.events()) == before:
            time.sleep(0.0005)
        times.append(time.monotonic() - began)
    return milliseconds(times[10:])


def bare(deployment: Deployment, simulator: Simulator, count: int) -> tuple[float, float]:
    """A queue, a function that calls Bedrock, and a queue of answers: what one writes in an afternoon."""
    sqs, functions = deployment.client("sqs"), deployment.client("lambda")
    asked = sqs.create_queue(QueueName="bare-in")["QueueUrl"]
    answers = sqs.create_queue(QueueName="bare-out")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=asked, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(BARE, "bare.py")
    environment = {"ANSWERS": answers, "MODEL": WIDE, "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": simulator.url}
    functions.create_function(
        FunctionName="bare",
        Runtime="python3.11",
        Handler="bare.handler",
        Role="arn:aws:iam::000000000000:role/bare",
        Code={"ZipFile": packed.getvalue()},
        Timeout=60,
        Environment={"Variables": environment},
    )
    functions.create_event_source_mapping(EventSourceArn=arn, FunctionName="bare", BatchSize=10)
    times = []
    for _ in range(count + 10):
        began = time.monotonic()
        sqs.send_message(QueueUrl=asked, MessageBody=json.dumps(job(WIDE)))
        answer = []
        while not answer:
            read = sqs.receive_message(QueueUrl=answers, WaitTimeSeconds=1)
            answer = read.get("Messages", [])
        times.append(time.monotonic() - began)
        sqs.delete_message(QueueUrl=answers, ReceiptHandle=answer[0]["ReceiptHandle"])
    return milliseconds(times[10:])


def hold(town: Town, state: str) -> None:
    said = town.ask("POST", "/v1/lanes/narrow/breaker", {"state": state})
    assert said.status == 200, said


def waiting(town: Town) -> int:
    lane = town.ask("GET", "/v1/lanes/narrow").json()
    return sum(band["requests"] for band in lane["waiting"].values())


def drained(town: Town) -> bool:
    wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = town.sqs.get_queue_attributes(QueueUrl=town.outputs["InputQueueUrl"], AttributeNames=wanted)
    return not any(int(number) for number in found["Attributes"].values())


def ended(town: Town) -> int:
    return sum(event["job"]["lane"] == "narrow" for event in town.results.jobs().values())


def calls(town: Town, depth: int, served: int) -> tuple[Counter[str], Counter[str], float]:
    """Calls while so many come to wait, calls while `served` are served with at least `depth` waiting, and a second's."""
    emulator = town.deployment.emulator
    hold(town, "open")
    # Beyond both whatever the burst of an unused quota takes before anything is counted.
    before, count = emulator.counts(), depth + served + BURST
    for start in range(0, count, 500):
        town.send([(job(NARROW), {})] * min(500, count - start))
    town.until(lambda: drained(town), "the input queue's end", seconds=1_200)
    taken = emulator.counts() - before
    hold(town, "auto")
    first = ended(town)
    town.until(lambda: ended(town) >= first + 50, "the first to end", seconds=300)
    began, start, before = ended(town), time.monotonic(), emulator.counts()
    town.until(lambda: ended(town) >= began + served, "what is counted", seconds=600)
    done, lasted = ended(town) - began, time.monotonic() - start
    spent = emulator.counts() - before
    per = Counter({name: number / done for name, number in spent.items()})
    return Counter({name: number / count for name, number in taken.items()}), per, done / lasted


def cold_start(deployment: Deployment, times: int = 20) -> dict[str, tuple[float, float]]:
    """From a new process to its first ask for an event, by role: configuration read, clients made, table looked at."""
    functions = deployment.client("lambda")
    found = {}
    for role in ("input", "http", "prioritizer", "worker", "results", "ws"):
        told = functions.get_function_configuration(FunctionName=deployment.function(role))
        environment = told["Environment"]["Variables"]
        found[role] = milliseconds([start_once(deployment, role, environment) for _ in range(times)])
    return found


def start_once(deployment: Deployment, role: str, environment: dict[str, str]) -> float:
    asked = Event()

    class Runtime(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            ended.wait(10)

        def log_message(self, *_) -> None:
            pass

    ended = Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Runtime)
    Thread(target=server.serve_forever, daemon=True).start()
    env = clean_env(
        **environment,
        _HANDLER=role,
        AWS_ENDPOINT_URL=deployment.emulator.url,
        AWS_LAMBDA_RUNTIME_API=f"127.0.0.1:{server.server_port}",
        AWS_LAMBDA_FUNCTION_NAME=role,
        AWS_LAMBDA_FUNCTION_VERSION="1",
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE="512",
        AWS_LAMBDA_LOG_GROUP_NAME="g",
        AWS_LAMBDA_LOG_STREAM_NAME="s",
    )
    began = time.monotonic()
    child = subprocess.Popen(
        [bootstrap()], cwd=deployment.folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        if not asked.wait(30):
            raise TimeoutError(f"{role} asked for no event within 30 s")
        return time.monotonic() - began
    finally:
        child.kill()
        child.wait()
        ended.set()
        server.shutdown()
        server.server_close()


def binary() -> str:
    content = bootstrap().read_bytes()
    versions = {tuple(map(int, found.split(b"."))) for found in re.findall(rb"GLIBC_(\d+\.\d+)", content)}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bootstrap", content)
    needs = ".".join(map(str, max(versions)))
    megabytes = [len(part) / 1_000_000 for part in (content, packed.getvalue())]
    return f"{megabytes[0]:.1f} MB ({megabytes[1]:.1f} MB zipped), needs GLIBC_{needs}"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def main() -> None:
    given = arguments()
    os.environ.update(AWS_ENV)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        settings = {"output_burndown": 1, "latency": {"base_ms": 20, "per_token_ms": 1}}
        simulator = Simulator(folder, settings)
        emulator = Emulator(folder)
        try:
            deployment = Deployment(emulator, folder, lanes(simulator.url))
            town = Town(deployment)
            report = measure(town, deployment, simulator, given)
            town.close()
        finally:
            emulator.stop()
            simulator.stop()
    print(report)
    if given.out:
        given.out.write_text(report)


def measure(town: Town, deployment: Deployment, simulator: Simulator, given: argparse.Namespace) -> str:
    ours, theirs = latency(town, given.messages), bare(deployment, simulator, given.messages)
    starts = cold_start(deployment)
    counted = {depth: calls(town, depth, given.served) for depth in given.waiting}
    names = sorted({name for taken, per, _ in counted.values() for name in (*taken, *per)})
    deep = [f"{depth:,} waiting" for depth in given.waiting]
    rows = [
        [name, *(f"{counted[d][0][name]:.2f}" for d in given.waiting), *(f"{counted[d][1][name]:.2f}" for d in given.waiting)]
        for name in names
        if any(counted[d][part][name] >= 0.005 for d in given.waiting for part in (0, 1))
    ]
    sums = [f"**{sum(counted[d][part].values()):.2f}**" for part in (0, 1) for d in given.waiting]
    rates = [f"{counted[d][2]:.1f}" for d in given.waiting]
    return f"""# Figures of the deployment
Made by `make aws-figures`, {date.today()}, commit {commit()}, {os.cpu_count()} cores, Linux {platform.release()}:
MiniStack, the simulator (20 ms and 1 ms a token, {OUTPUT} tokens) and every function on one machine. Times in an emulator
compare two pipelines; they are not those of AWS.

## From the message to its answer
{given.messages} messages, one after the other, warm; the answer is read from a queue by a long poll. The bare pipeline is
[a queue and a function](../tests/aws/cloud/bare.py) that calls Bedrock and sends the answer to a queue: no rows, no
quota, no order, no retry.

{table(["pipeline", "p50 ms", "p99 ms"], [["smoother", f"{ours[0]:.0f}", f"{ours[1]:.0f}"], ["bare", f"{theirs[0]:.0f}", f"{theirs[1]:.0f}"]])}

## Calls to AWS
By service and operation, by the functions; polls of event source mappings are not among them. Requests are accepted with
the lane held, then served at the quota's pace ({", ".join(rates)} a second) with at least so many waiting.

{table(["call", *(f"accepting, {d}" for d in deep), *(f"serving, {d}" for d in deep)], [*rows, ["**all**", *sums]])}

## Start of a process
From the start to the first ask for an event, 20 times each: configuration, clients, a look at table and bucket.

{table(["role", "p50 ms", "p99 ms"], [[role, f"{p50:.0f}", f"{p99:.0f}"] for role, (p50, p99) in starts.items()])}

The binary: {binary()}.
"""


if __name__ == "__main__":
    main()
