"""What the samples of a soak say: each line a bound, what was found, and whether it holds."""

from dataclasses import dataclass

from watch import Sample

MIB = 1 << 20
# The log is written anew from its beginning after a checkpoint; one that never is would grow past this.
MOST_LOG = 256 * MIB


@dataclass(frozen=True)
class Line:
    name: str
    found: str
    bound: str
    holds: bool


def slope(points: list[tuple[float, float]]) -> float:
    """The rise per unit of the first coordinate, by least squares; 0 for fewer than two moments."""
    n = len(points)
    mean_x = sum(x for x, _ in points) / n if n else 0.0
    mean_y = sum(y for _, y in points) / n if n else 0.0
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def growth(samples: list[Sample], of: str) -> float:
    """By how much the second half's trend rises from its beginning to its end."""
    half = samples[len(samples) // 2 :]
    if len(half) < 2:
        return 0.0
    return slope([(s.at, float(getattr(s, of))) for s in half]) * (half[-1].at - half[0].at)


def mib(count: float) -> str:
    return f"{count / MIB:.1f} MiB"


def trend(samples: list[Sample], of: str, name: str, share: float, least: float) -> Line:
    """Holds if the rise over the second half stays below `share` of the mean, or below `least` bytes."""
    half = samples[len(samples) // 2 :]
    mean = sum(getattr(s, of) for s in half) / max(len(half), 1)
    rise, most = growth(samples, of), max(mean * share, least)
    return Line(f"{name} over the second half", f"{mib(rise)} on {mib(mean)}", f"at most {mib(most)}", rise <= most)


def level(samples: list[Sample], of: str) -> float:
    """What nine of ten samples stay below."""
    sizes = sorted(getattr(s, of) for s in samples)
    return float(sizes[int(0.9 * (len(sizes) - 1))]) if sizes else 0.0


def peaks(samples: list[Sample], of: str, name: str, share: float, least: float) -> Line:
    """Holds if the peaks of the last quarter are not above those of the quarter before it by half of what `trend` allows.

    Memory has dips: where a machine is short of it, its system takes pages back that hold nothing, and gives them again
    when they are touched. Such a dip in the middle would read as growth; a leak lifts the peaks.
    """
    quarter = len(samples) // 4
    before, last = samples[2 * quarter : 3 * quarter], samples[3 * quarter :]
    rise, most = level(last, of) - level(before, of), max(level(before, of) * share, least) / 2
    found = f"{mib(rise)} on {mib(level(before, of))}"
    return Line(f"{name}, peaks of the last quarter against the third", found, f"at most {mib(most)}", rise <= most)


def of_load(samples: list[Sample]) -> list[Line]:
    """While the load was on."""
    log = max((s.log for s in samples), default=0)
    return [
        peaks(samples, "rss", "resident memory", 0.10, 8 * MIB),
        trend(samples, "database", "the database", 0.15, 4 * MIB),
        trend(samples, "file_bytes", "payload files", 0.25, 4 * MIB),
        Line("the write-ahead log, at most", mib(log), f"at most {mib(MOST_LOG)}", log <= MOST_LOG),
        # A reason or a state that is met for the first time is one more; a label of each request would be thousands.
        few_more(samples[len(samples) // 2 :], "series", "series of metrics over the second half", 20),
    ]


def of_quiet(load: list[Sample], after: Sample) -> list[Line]:
    """Once nobody calls any more. Threads that came with the work of the first half may stay, and no more of them."""
    threads = max((s.threads for s in load[: max(len(load) // 2, 1)]), default=0)
    bound = f"at most {threads}, as in the first half"
    return [
        few_more([*load[:1], after], "fds", "file descriptors, quiet again", 8),
        Line("threads, quiet again", str(after.threads), bound, after.threads <= threads),
        Line("payload files left", str(after.files), "0", after.files == 0),
    ]


def few_more(samples: list[Sample], of: str, name: str, most: int) -> Line:
    first, last = (getattr(samples[0], of), getattr(samples[-1], of)) if samples else (0, 0)
    return Line(name, f"{first} → {last}", f"at most {most} more", last <= first + most)


def exactly(name: str, found: int, wanted: int = 0) -> Line:
    return Line(name, str(found), str(wanted), found == wanted)
