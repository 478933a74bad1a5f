"""`make soak MINUTES=60`: twice the quota for some time, by every door; then quiet; then what is left is judged.

The simulator enforces the quota, so a single throttle is a finding. Retention is a sixth of the time, so that most of
what was written is removed again while the load is on.
"""

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))

import verdict  # noqa: E402
from house.process import AWS_ENV  # noqa: E402
from house.server import Smoother  # noqa: E402
from house.simulator import Simulator  # noqa: E402
from traffic import COST, TERMINAL, Traffic  # noqa: E402
from watch import Sample, sample  # noqa: E402
from wire import Wire  # noqa: E402

QUOTA = 600_000
SAMPLE_EVERY = 2.0
# Patience with what ends by itself: deadlines of 8 s, a grace of 2 s, and a machine that does other things too.
DRAINED_WITHIN = 120


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--samples", type=Path, help="write the samples here, as CSV")
    parser.add_argument("--out", type=Path, help="write the report here; else it is printed only")
    return parser.parse_args()


def servers(folder: Path, retention: int) -> tuple[Simulator, Smoother]:
    # A bucket without a second's slack: what is admitted beyond the quota is throttled.
    quota = {"tokens_per_minute": QUOTA, "limiter": "bucket", "bucket_seconds": 10}
    latency = {"base_ms": 150, "per_token_ms": 5}
    simulator = Simulator(folder, {"quota": quota, "latency": latency, "output_burndown": 1})
    lane = {"tokens_per_minute": QUOTA, "max_concurrency": 64, "output_burndown": 1, "max_output_tokens": 4_096}
    settings = {"retention_minutes": retention, "disconnect_grace_ms": 2_000}
    return simulator, Smoother(folder, simulator.url, lanes={"soak": lane}, server=settings)


class Soak:
    """The run: a load, its samples, and the quiet after it."""

    def __init__(self, simulator: Simulator, smoother: Smoother, minutes: float, retention: int, seed: int):
        self.simulator, self.smoother, self.retention = simulator, smoother, retention
        self.seconds = minutes * 60
        self.wire = Wire("127.0.0.1", smoother.port)
        self.traffic = Traffic(self.wire, seed)
        self.samples: list[Sample] = []
        self.began = time.monotonic()
        self.offered = 0
        self.unanswered = 0

    async def sample(self) -> Sample:
        metrics = (await self.wire.ask("GET", "/metrics")).body.decode()
        series = sum(1 for line in metrics.splitlines() if line and not line.startswith("#"))
        at = time.monotonic() - self.began
        return sample(at, self.smoother.process.pid, self.smoother.data_dir, series)

    async def load(self) -> None:
        """Twice the quota, at even distances whether or not anything is answered."""
        every = 60.0 * COST / (2 * QUOTA)
        callers: set[asyncio.Task] = set()
        watching = asyncio.create_task(self.watch())
        self.began = next_one = time.monotonic()
        while (now := time.monotonic()) < self.began + self.seconds and not watching.done():
            while next_one <= now:
                caller = asyncio.create_task(self.traffic.one())
                callers.add(caller)
                caller.add_done_callback(callers.discard)
                next_one += every
                self.offered += 1
            await asyncio.sleep(max(0.0, next_one - time.monotonic()))
        if callers:
            _, late = await asyncio.wait(callers, timeout=DRAINED_WITHIN)
            self.unanswered = len(late)
            for caller in late:
                caller.cancel()
        watching.cancel()
        for ended in await asyncio.gather(watching, return_exceptions=True):
            if not isinstance(ended, asyncio.CancelledError):
                self.traffic.wrongs.append(f"the server could be watched no longer: {ended!r}")

    async def watch(self) -> None:
        """Until it is cancelled; a server that cannot be looked at any more ends the load."""
        while True:
            self.samples.append(await self.sample())
            await asyncio.sleep(SAMPLE_EVERY)

    async def open_work(self) -> int:
        lanes = (await self.wire.ask("GET", "/v1/lanes")).json()["lanes"]
        waiting = sum(band["requests"] for lane in lanes for band in lane["waiting"].values())
        return waiting + sum(lane["released"] + lane["running"] for lane in lanes)

    async def rows(self) -> int:
        return len((await self.wire.ask("GET", "/v1/jobs?limit=100")).json()["jobs"])

    async def until_none(self, count, seconds: float) -> int:
        """Asks until `count` is 0, for at most this long; what it was last."""
        deadline = time.monotonic() + seconds
        while (left := await count()) and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
        return left

    async def not_over(self) -> int:
        """Jobs that were accepted and are neither over nor past their retention."""
        left = 0
        for job in self.traffic.jobs[-2_000:]:
            answer = await self.wire.ask("GET", f"/v1/jobs/{job}")
            if answer.status != 404 and answer.json()["status"] not in TERMINAL:
                left += 1
        return left

    async def run(self) -> list[verdict.Line]:
        """The verdict; also of a server that did not live to the end of it."""
        await self.load()
        lines = [
            verdict.exactly("answers that no caller may get", len(self.traffic.wrongs)),
            verdict.exactly("callers without an answer", self.unanswered),
            *verdict.of_load(self.samples),
        ]
        try:
            lines += await self.quiet()
        except (OSError, EOFError) as error:
            lines.append(verdict.Line("the server", f"{type(error).__name__}: {error}", "answers", False))
        bad = [line for line in self.smoother.process.output().splitlines() if "ERROR" in line or "panicked" in line]
        lines.append(verdict.exactly("errors in the server's log", len(bad)))
        for line in [*self.traffic.wrongs[:5], *bad[:5]]:
            print(f"  {line[:300]}", file=sys.stderr)
        try:
            lines.append(verdict.exactly("exit code after SIGTERM", self.smoother.stop(60)))
        except subprocess.TimeoutExpired:
            lines.append(verdict.Line("exit code after SIGTERM", "none within 60 s", "0", False))
        return lines

    async def quiet(self) -> list[verdict.Line]:
        """Nobody calls any more: what is left over."""
        lines = []
        left = await self.until_none(self.open_work, DRAINED_WITHIN)
        lines.append(verdict.exactly("requests waiting, released or running after the load", left))
        lines.append(verdict.exactly("accepted jobs without an end", await self.not_over()))
        lines.append(verdict.exactly("throttles", self.simulator.throttled()))
        patience = self.retention * 60 * 1.2 + DRAINED_WITHIN
        lines.append(verdict.exactly("rows past their retention", await self.until_none(self.rows, patience)))
        return [*lines, *verdict.of_quiet(self.samples, await self.sample())]


def report(soak: Soak, lines: list[verdict.Line], minutes: float, seed: int, shares: list[float]) -> str:
    first, last = soak.samples[0], soak.samples[-1]
    text = [
        "# Soak",
        "",
        f"`make soak MINUTES={minutes:g}` (seed {seed}) on {platform.system()} {platform.machine()}, {os.cpu_count()}"
        f" cores, {'a release' if 'release' in os.environ.get('SMOOTHER_BIN', '') else 'a debug'} build. Twice a quota"
        f" of {QUOTA:,} tokens per minute, by every door, with deadlines of 8 s, cancels, callers that leave, callers"
        f" that send again; results are kept for {soak.retention} min. What cannot be served in time is turned away.",
        "",
        f"{soak.offered:,} callers came; the calls made were worth {shares[0]:.0%} of the quota, those answered to their"
        f" end {shares[1]:.0%} (a cancel, a deadline or a caller that leaves breaks a call off). Memory went"
        f" from {verdict.mib(first.rss)} to {verdict.mib(last.rss)}.",
        "",
        "| what | found | bound | |",
        "|---|---|---|---|",
        *(f"| {line.name} | {line.found} | {line.bound} | {'holds' if line.holds else '**broken**'} |" for line in lines),
        "",
        "| callers | |",
        "|---|---|",
        *(f"| {kind} | {count:,} |" for kind, count in sorted(soak.traffic.counts.items())),
        "",
    ]
    return "\n".join(text)


def csv_line(sample: Sample) -> str:
    return ",".join(f"{value:.1f}" if isinstance(value, float) else str(value) for value in asdict(sample).values())


def main() -> int:
    args = arguments()
    os.environ.update(AWS_ENV)
    retention = max(1, round(args.minutes / 6))
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        simulator, smoother = servers(Path(folder), retention)
        try:
            soak = Soak(simulator, smoother, args.minutes, retention, args.seed)
            lines = asyncio.run(soak.run())
            stats = simulator.stats()
            shares = [stats[name] * COST / (QUOTA * args.minutes) for name in ("accepted", "answered")]
        finally:
            smoother.kill()
            simulator.stop()
    if args.samples:
        args.samples.write_text("\n".join([",".join(asdict(soak.samples[0])), *map(csv_line, soak.samples), ""]))
    text = report(soak, lines, args.minutes, args.seed, shares)
    print(text)
    if args.out:
        args.out.write_text(text)
    return 0 if all(line.holds for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
