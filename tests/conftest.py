"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest

from murk.envs.web.build import Options, build
from murk.envs.web.snapshot import Snapshot

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "tests" / "pages"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; where it is absent the test is skipped, but never in CI."""
    folder = Path(os.environ.get("MURK_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        reason = f"no real data in {folder}; set MURK_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def vale_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot of the small pages in tests/pages."""
    out = tmp_path_factory.mktemp("snapshots") / "vale"
    build([PAGES], out, Options(workers=1, base_url="https://vale.example/"))
    return out


@pytest.fixture(scope="session")
def vale(vale_dir: Path) -> Snapshot:
    return Snapshot.open(vale_dir)


@pytest.fixture(scope="session")
def wiki(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A snapshot of the 193 articles of wikispeedia-small."""
    out = tmp_path_factory.mktemp("snapshots") / "wiki"
    build([data / "wikispeedia-small" / "pages.jsonl.gz"], out, Options(workers=1))
    return Snapshot.open(out)
