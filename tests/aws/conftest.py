"""One emulator with one deployment in it, and one simulator of Bedrock, for all tests here."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))

from cloud.command import Command  # noqa: E402
from cloud.deployment import Deployment  # noqa: E402
from cloud.emulator import Emulator  # noqa: E402
from cloud.lanes import lanes_toml, simulator_settings  # noqa: E402
from cloud.town import Town  # noqa: E402
from house.process import AWS_ENV  # noqa: E402
from house.simulator import Simulator  # noqa: E402


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture(scope="session", autouse=True)
def aws_environment() -> Iterator[None]:
    """Dummy credentials and a Region, and nothing of this machine's own AWS set-up."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(AWS_ENV)
    yield


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = Simulator(tmp_path_factory.mktemp("simulator"), simulator_settings())
    yield simulator
    simulator.stop()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator(tmp_path_factory.mktemp("emulator"), auth=os.environ.get("SMOOTHER_AWS_AUTH") == "1")
    yield emulator
    emulator.stop()


@pytest.fixture(scope="session")
def deployment(
    emulator: Emulator, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    yield Deployment(emulator, tmp_path_factory.mktemp("deployment"), lanes_toml(simulator.url))


@pytest.fixture(scope="session")
def town(deployment: Deployment) -> Iterator[Town]:
    """The deployment with its users: producers, callers, and a reader of everything that is told."""
    town = Town(deployment)
    yield town
    town.close()


@pytest.fixture
def command(town: Town, tmp_path: Path) -> Iterator[Command]:
    """The smoother's own command against the deployment."""
    command = Command(town, tmp_path)
    yield command
    command.close()


@pytest.fixture
def redeploy(deployment: Deployment, simulator: Simulator) -> Iterator[Callable[..., None]]:
    """Deploys another configuration; afterwards the tests' own is in force again."""

    def redeploy(**changed) -> None:
        deployment.redeploy(lanes_toml(simulator.url, **changed))

    yield redeploy
    redeploy()
