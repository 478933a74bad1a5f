"""What a server takes of its machine, sampled from outside."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """Seconds since the start of the load; bytes; counts."""

    at: float
    rss: int
    fds: int
    threads: int
    database: int
    log: int
    files: int
    file_bytes: int
    series: int


def sample(at: float, pid: int, data: Path, series: int) -> Sample:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    sizes = []
    for path in data.rglob("*"):
        # A file may be removed while it is looked at.
        try:
            if path.is_file() and not path.name.startswith("smoother"):
                sizes.append(path.stat().st_size)
        except FileNotFoundError:
            pass
    return Sample(
        at=at,
        rss=int(status["VmRSS"].split()[0]) * 1024,
        fds=len(os.listdir(f"/proc/{pid}/fd")),
        threads=int(status["Threads"]),
        database=size(data / "smoother.db"),
        log=size(data / "smoother.db-wal"),
        files=len(sizes),
        file_bytes=sum(sizes),
        series=series,
    )


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
