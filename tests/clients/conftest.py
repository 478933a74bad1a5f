"""Fixtures: a simulator and a smoother for tests that change neither, and makers for tests that do."""

import os
from collections.abc import Callable, Iterator

import pytest

from house.process import AWS_ENV
from house.server import Smoother
from house.simulator import Simulator


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The one-minute tests first: the others run beside them.
    items.sort(key=lambda item: item.get_closest_marker("minute") is None)


@pytest.fixture(scope="session", autouse=True)
def aws_environment() -> Iterator[None]:
    """What a user of an AWS SDK has around: dummy credentials and a Region."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(AWS_ENV)
    yield


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A simulator without limits or latency, shared by the tests of one worker."""
    simulator = Simulator(tmp_path_factory.mktemp("simulator"))
    yield simulator
    simulator.stop()


@pytest.fixture(scope="session")
def smoother(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Smoother]:
    """A smoother with one roomy lane in front of it. Every test ends it cleanly: SIGTERM gives 0."""
    smoother = Smoother(tmp_path_factory.mktemp("smoother"), simulator.url)
    yield smoother
    try:
        assert smoother.stop() == 0, smoother.process.output()
    finally:
        smoother.kill()


@pytest.fixture
def new_simulator(tmp_path) -> Iterator[Callable[..., Simulator]]:
    """Makes simulators of one test's own: `new_simulator({"latency": {"base_ms": 300}})`."""
    made: list[Simulator] = []

    def make(settings: dict | None = None) -> Simulator:
        made.append(Simulator(tmp_path, settings, f"simulator-{len(made)}"))
        return made[-1]

    yield make
    for simulator in made:
        simulator.stop()


@pytest.fixture
def new_smoother(tmp_path) -> Iterator[Callable[..., Smoother]]:
    """Makes smoothers of one test's own; see `Smoother` for the arguments."""
    made: list[Smoother] = []

    def make(endpoint: str, **options) -> Smoother:
        folder = tmp_path / f"smoother-{len(made)}"
        folder.mkdir()
        made.append(Smoother(folder, endpoint, **options))
        return made[-1]

    yield make
    for smoother in made:
        smoother.kill()
