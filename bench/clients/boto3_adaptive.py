"""A client process of the benchmark: boto3 with adaptive retries, as a careful user sets it up today.

Speaks the plan protocol of bench/src/plan.rs: `ready`, a plan, `ready`, `go`, results. Calls start when they are
due, each on a thread of its own, over one client and its connection pool. Everything else is boto3's default,
but for the attempts, which are many: a user who wants every call answered sets them so, and a read timeout that
outlasts the queueing of the limiter inside the client is the default's 60 s, which covers one attempt only.
"""

import json
import sys
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ATTEMPTS = 50


def call(client, call: dict, start: float, outcomes: list) -> None:
    due = start + call["at_us"] / 1e6
    outcome = {"class": call["class"], "status": 200}
    try:
        client.converse(
            modelId=call["model"],
            messages=[{"role": "user", "content": [{"text": call["prompt"]}]}],
            inferenceConfig={"maxTokens": call["max_tokens"]},
        )
    except ClientError as error:
        outcome["status"] = error.response["ResponseMetadata"]["HTTPStatusCode"]
        outcome["error"] = str(error)[:200]
    except BotoCoreError as error:
        outcome["status"] = 0
        outcome["error"] = str(error)[:200]
    outcome["latency_us"] = int((time.monotonic() - due) * 1e6)
    outcomes.append(outcome)


def main() -> None:
    print("ready", flush=True)
    plan = json.loads(sys.stdin.readline())
    calls = plan["calls"]
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=plan["url"],
        config=Config(
            retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
            max_pool_connections=max(len(calls), 10),
        ),
    )
    outcomes: list[dict] = []
    print("ready", flush=True)
    sys.stdin.readline()
    start = time.monotonic()
    threads = []
    for each in calls:
        time.sleep(max(0.0, start + each["at_us"] / 1e6 - time.monotonic()))
        thread = threading.Thread(target=call, args=(client, each, start, outcomes))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    elapsed = int((time.monotonic() - start) * 1e6)
    print(json.dumps({"outcomes": outcomes, "elapsed_us": elapsed}), flush=True)


if __name__ == "__main__":
    main()
