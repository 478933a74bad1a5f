"""The judge of the soak, judged: what leaks is found, what is steady or only noisy is not."""

from dataclasses import replace

import pytest

import verdict
from watch import Sample

STEADY = Sample(at=0, rss=60 << 20, fds=20, threads=10, database=30 << 20, log=4 << 20, files=0, file_bytes=0, series=90)


def run(**grow):
    """Samples of an hour; each name grows by its number a minute, from the beginning."""
    return [
        replace(STEADY, at=60.0 * n, **{name: getattr(STEADY, name) + by * n for name, by in grow.items()})
        for n in range(60)
    ]


def broken(lines) -> list[str]:
    return [line.name for line in lines if not line.holds]


def test_what_is_steady_holds():
    assert broken(verdict.of_load(run())) == []
    assert broken(verdict.of_quiet(run(), STEADY)) == []


def test_noise_and_a_warm_start_are_no_leak():
    samples = [replace(s, rss=s.rss + (n * 7919 % 13 << 18)) for n, s in enumerate(run())]
    warm = [replace(s, rss=s.rss - (40 << 20 >> min(n, 20))) for n, s in enumerate(samples)]
    assert broken(verdict.of_load(warm)) == []


def test_pages_that_the_system_takes_back_for_a_while_are_no_leak():
    samples = [replace(s, rss=s.rss - (40 << 20 if 24 <= n < 36 else 0)) for n, s in enumerate(run())]
    assert broken(verdict.of_load(samples)) == []
    leak = [replace(s, rss=s.rss + (n << 19)) for n, s in enumerate(samples)]
    assert len(broken(verdict.of_load(leak))) == 1


@pytest.mark.parametrize(
    ("name", "by", "said"),
    [
        ("rss", 1 << 19, "resident memory"),
        ("database", 1 << 19, "the database"),
        ("file_bytes", 1 << 20, "payload files"),
        ("log", 8 << 20, "write-ahead log"),
        ("series", 1, "series"),
    ],
)
def test_each_kind_of_growth_is_found(name, by, said):
    found = broken(verdict.of_load(run(**{name: by})))
    assert len(found) == 1 and said in found[0], found


def test_what_is_left_over_when_nobody_calls_is_found():
    left = replace(STEADY, fds=40, threads=40, files=1)
    assert len(broken(verdict.of_quiet(run(), left))) == 3


def test_a_slope_is_a_slope():
    assert verdict.slope([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2)
    assert verdict.slope([]) == verdict.slope([(1, 1)]) == 0
