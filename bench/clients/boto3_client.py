"""A client process of the benchmark: boto3, by default with adaptive retries, as a careful user sets it up today.

Speaks the plan protocol of bench/src/plan.rs: `ready`, a plan, `ready`, `go`, results. Calls start when they are
due, each on a thread of its own, at most a thousand at a time, over one client and its connection pool, or with
--pool-per-priority over one for each priority. Everything else is boto3's default, but for the attempts, which are
many: a user who wants every call answered sets them so, and a read timeout that outlasts the queueing of the limiter
inside the client is the default's 60 s, which covers one attempt only.
"""

import argparse
import json
import os
import resource
import sys
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

THREADS = 1_000
# The word of bench/src/plan.rs.
UNANSWERED = "not answered when the run ended"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["adaptive", "standard"], default="adaptive")
    parser.add_argument("--attempts", type=int, default=50)
    parser.add_argument("--pool-per-priority", action="store_true")
    return parser.parse_args()


class Calls:
    """Calls under way, and what became of those that are over."""

    def __init__(self, plan: dict, how: argparse.Namespace):
        self.plan = plan
        self.calls = plan["calls"]
        classes = sorted({call["class"] for call in self.calls})
        if how.pool_per_priority:
            self.clients = {name: self.client(how) for name in classes}
        else:
            shared = self.client(how)
            self.clients = {name: shared for name in classes}
        self.places = threading.Semaphore(THREADS)
        self.lock = threading.Lock()
        self.outcomes: dict[int, dict] = {}
        self.start = 0.0

    def client(self, how: argparse.Namespace):
        return boto3.client(
            "bedrock-runtime",
            endpoint_url=self.plan["url"],
            config=Config(
                retries={"mode": how.mode, "total_max_attempts": how.attempts},
                max_pool_connections=max(min(len(self.calls), THREADS), 10),
            ),
        )

    def due(self, call: dict) -> float:
        return self.start + call["at_us"] / 1e6

    def keep(self, call: dict, **told) -> None:
        outcome = {
            "number": call["number"],
            "class": call["class"],
            "due_us": call["at_us"],
            "latency_us": int((time.monotonic() - self.due(call)) * 1e6),
            **told,
        }
        with self.lock:
            self.outcomes.setdefault(call["number"], outcome)

    def one(self, call: dict) -> None:
        told = {"status": 200}
        try:
            self.clients[call["class"]].converse(
                modelId=call["model"],
                messages=[{"role": "user", "content": [{"text": call["prompt"]}]}],
                inferenceConfig={"maxTokens": call["max_tokens"]},
            )
        except ClientError as error:
            told = {"status": error.response["ResponseMetadata"]["HTTPStatusCode"], "error": str(error)[:200]}
        except BotoCoreError as error:
            told = {"status": 0, "error": str(error)[:200]}
        finally:
            self.places.release()
        self.keep(call, **told)

    def run(self) -> dict:
        self.start = time.monotonic()
        until = self.start + self.plan["until_us"] / 1e6 if self.plan.get("until_us") else None
        threads = []
        for call in self.calls:
            time.sleep(max(0.0, self.due(call) - time.monotonic()))
            if not self.places.acquire(timeout=left(until)):
                break
            thread = threading.Thread(target=self.one, args=(call,), daemon=True)
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join(left(until))
        for call in self.calls:
            self.keep(call, status=0, error=UNANSWERED)
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "outcomes": list(self.outcomes.values()),
            "elapsed_us": int((time.monotonic() - self.start) * 1e6),
            "cpu_us": int((used.ru_utime + used.ru_stime) * 1e6),
            "peak_bytes": used.ru_maxrss * 1024,
        }


def left(until: float | None) -> float | None:
    """Seconds until then; none: for ever."""
    return None if until is None else max(0.0, until - time.monotonic())


def main() -> None:
    how = arguments()
    threading.stack_size(512 * 1024)
    print("ready", flush=True)
    calls = Calls(json.loads(sys.stdin.readline()), how)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(calls.run()), flush=True)
    # Threads of calls that were given up may still wait; nobody does for them.
    os._exit(0)


if __name__ == "__main__":
    main()
