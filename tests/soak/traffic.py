"""What callers do, by every door: each kind of caller is one coroutine, and tells a mistake of the server's by raising.

Every request has a deadline, so that of twice the quota the half that cannot be served expires and no backlog grows.
"""

import asyncio
import collections
import random
import uuid

from house import models
from wire import Wire

# What a caller who is turned away by the quota or its own deadline may read.
TURNED_AWAY = (408, 429, 503, 504)
DEADLINE_MS = 8_000
# Tokens of input and output of a call, and what it costs with an output burndown of 1.
INPUT, OUTPUT = 200, 40
COST = INPUT + OUTPUT
TERMINAL = ("COMPLETED", "FAILED", "CANCELLED", "EXPIRED")


class Wrong(Exception):
    """The server did what it must not."""


class Traffic:
    """Callers of one server, with a count of how each was served."""

    def __init__(self, wire: Wire, seed: int):
        self.wire, self.chance = wire, random.Random(seed)
        self.counts: collections.Counter = collections.Counter()
        self.wrongs: list[str] = []
        self.jobs: list[str] = []
        self._number = 0
        self._kinds = [
            (self.converse, 20),
            (self.stream, 20),
            (self.invoke, 10),
            (self.job, 20),
            (self.large_job, 3),
            (self.cancelled_job, 8),
            (self.same_job_twice, 6),
            (self.gone_caller, 6),
            (self.caller_that_sends_again, 5),
            (self.onlooker, 2),
        ]

    async def one(self) -> None:
        """Somebody comes."""
        kinds, weights = zip(*self._kinds)
        kind = self.chance.choices(kinds, weights)[0]
        try:
            self.counts[f"{kind.__name__} {await kind()}"] += 1
        except Exception as error:  # A caller that meets anything else is the finding.
            self.counts[f"{kind.__name__} wrong"] += 1
            self.wrongs.append(f"{kind.__name__}: {type(error).__name__}: {error}")

    def _prompt(self, size: int = 0) -> str:
        self._number += 1
        return f"Prompt {self._number}. [[sim in={INPUT} out={OUTPUT}]] " + "word " * (size or 100)

    def _headers(self, **more: str) -> dict[str, str]:
        priority = self.chance.choice(["interactive", "normal", "batch"])
        return {"x-smoother-priority": priority, "x-smoother-timeout-ms": str(DEADLINE_MS), **more}

    async def _call(self, operation: str, body: dict, headers: dict[str, str]) -> str:
        answer = await self.wire.ask("POST", f"/model/{models.CLAUDE}/{operation}", body, headers)
        if answer.status == 200 and answer.body:
            return "answered"
        if answer.status in TURNED_AWAY:
            return "turned away"
        raise Wrong(f"{answer.status} {answer.body[:200]!r}")

    async def converse(self) -> str:
        return await self._call("converse", models.converse_body(self._prompt(), OUTPUT), self._headers())

    async def stream(self) -> str:
        return await self._call("converse-stream", models.converse_body(self._prompt(), OUTPUT), self._headers())

    async def invoke(self) -> str:
        body = models.invoke_body(models.CLAUDE, self._prompt(), OUTPUT)
        operation = self.chance.choice(["invoke", "invoke-with-response-stream"])
        return await self._call(operation, body, self._headers())

    def _job(self, size: int = 0) -> dict:
        return {
            "model": models.CLAUDE,
            "body": models.converse_body(self._prompt(size), OUTPUT),
            "timeout_ms": DEADLINE_MS,
            "priority": self.chance.choice(["normal", "batch"]),
        }

    def _key(self) -> str:
        return uuid.UUID(int=self.chance.getrandbits(128)).hex

    async def _submit(self, job: dict, headers: dict[str, str] | None = None) -> str:
        answer = await self.wire.ask("POST", "/v1/jobs", job, headers)
        if answer.status not in (200, 202):
            raise Wrong(f"a job was refused: {answer.status} {answer.body[:200]!r}")
        return answer.json()["id"]

    async def _read(self, job: str) -> str:
        """Waits for the job's end and reads what it left."""
        while True:
            answer = await self.wire.ask("GET", f"/v1/jobs/{job}?wait_ms=10000")
            if answer.status != 200:
                raise Wrong(f"job {job}: {answer.status}")
            if (status := answer.json()["status"]) in TERMINAL:
                break
        if status == "COMPLETED":
            result = await self.wire.ask("GET", f"/v1/jobs/{job}/result")
            if result.status != 200 or not result.body:
                raise Wrong(f"the result of job {job}: {result.status}")
        return status.lower()

    async def job(self) -> str:
        return await self._read(await self._kept(self._job()))

    async def large_job(self) -> str:
        return await self._read(await self._kept(self._job(20_000)))

    async def _kept(self, job: dict) -> str:
        accepted = await self._submit(job)
        self.jobs.append(accepted)
        return accepted

    async def cancelled_job(self) -> str:
        job = await self._submit(self._job())
        await asyncio.sleep(self.chance.random() * 2)
        answer = await self.wire.ask("DELETE", f"/v1/jobs/{job}")
        if answer.status != 200 or (status := answer.json()["status"]) not in TERMINAL:
            raise Wrong(f"DELETE of job {job}: {answer.status}")
        return status.lower()

    async def same_job_twice(self) -> str:
        job, key = self._job(), {"idempotency-key": self._key()}
        one, two = await self._submit(job, key), await self._submit(job, key)
        if one != two:
            raise Wrong(f"one key, two jobs: {one} and {two}")
        return await self._read(one)

    async def gone_caller(self) -> str:
        body = models.converse_body(self._prompt(), OUTPUT)
        operation = self.chance.choice(["converse", "converse-stream"])
        await self.wire.leave(f"/model/{models.CLAUDE}/{operation}", body, self._headers(), self.chance.random())
        return "gone"

    async def caller_that_sends_again(self) -> str:
        body = models.converse_body(self._prompt(), OUTPUT)
        headers = self._headers(**{"amz-sdk-invocation-id": self._key()})
        await self.wire.leave(f"/model/{models.CLAUDE}/converse", body, headers, 0.05)
        return await self._call("converse", body, headers)

    async def onlooker(self) -> str:
        for path in ("/v1/lanes", "/v1/jobs?limit=100", "/metrics", "/readyz"):
            answer = await self.wire.ask("GET", path)
            if answer.status != 200:
                raise Wrong(f"{path}: {answer.status}")
        return "looked"
