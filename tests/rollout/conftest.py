"""A small invented web, and the surroundings of runs in child processes."""

from collections.abc import Iterator

import pytest
from chaos import BEGUN, install, surroundings

from murk.rollout.build import compose
from murk.rollout.sources import prepare_tasks, prepare_world


@pytest.fixture(scope="session")
def invented(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Settings of `murk rollout` that name an invented web of 200 pages and its tasks."""
    folder = tmp_path_factory.mktemp("worlds")
    config = compose(["world=generated", "world.pages=200"])
    snapshot = prepare_world(config["world"], folder)
    return [f"world={snapshot}", f"tasks={prepare_tasks(config['tasks'], snapshot, folder)[0]}"]


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment variables of child processes: the plugins of `chaos_plugin` are installed, Ray is apart."""
    with surroundings(install(tmp_path_factory.mktemp("site"))) as environment:
        yield environment


@pytest.fixture(autouse=True)
def _no_run_outlives_its_test() -> Iterator[None]:
    yield
    while BEGUN:
        process = BEGUN.pop()
        process.kill()
        process.communicate()
