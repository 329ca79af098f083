"""The direction of imports (design, section 2), and heavy packages only where they belong."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TREES = {"envs": {"envs"}, "rewards": {"envs", "rewards"}, "rollout": {"envs", "rewards", "rollout"}}
SOCKETS = {"socket", "ssl", "httpx", "httpcore", "requests", "urllib3", "aiohttp", "http.client", "urllib.request"}
LIVE = ROOT / "envs" / "web" / "live"
LOCAL_SOCKETS = {"pool.py"}  # a socket pair between a build and its own workers
FORBIDDEN = {"pickle", "dill", "cloudpickle", "marshal", "shelve", "random", "uuid"}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("tree", TREES)
def test_trees_import_only_what_is_below_them(tree: str) -> None:
    for path in sorted((ROOT / tree).rglob("*.py")):
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "murk" and len(parts) > 1:
                assert parts[1] in TREES[tree], f"{path} imports {name}"
            assert parts[0] not in {"envs", "rewards", "rollout", "configs", "tests"}, f"{path} imports {name}"


def test_only_recording_opens_sockets() -> None:
    for path in sorted((ROOT / "envs").rglob("*.py")):
        used = SOCKETS & set(imports(path))
        allowed = LIVE in path.parents or (path.name in LOCAL_SOCKETS and used == {"socket"})
        assert not used or allowed, f"{path} imports {used}"


def test_nothing_that_unpickles_or_varies_is_imported() -> None:
    for tree in TREES:
        for path in sorted((ROOT / tree).rglob("*.py")):
            used = FORBIDDEN & {name.split(".")[0] for name in imports(path)}
            assert not used, f"{path} imports {used}"


def test_reading_a_snapshot_imports_nothing_heavy() -> None:
    code = "import sys; from murk.envs.web.snapshot import Snapshot; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"torch", "transformers", "ray", "hydra", "rich", "httpx", "html_to_markdown", "webencodings"}


ONLY_IN = {
    "ray": {"rollout/worker.py", "rollout/collect.py", "rollout/cluster.py"},
    "hydra": {"rollout/build.py", "rollout/main.py"},
    "omegaconf": {"rollout/build.py", "rollout/run.py"},
    "fsspec": {"rollout/nodes.py"},
}


@pytest.mark.parametrize("package", ONLY_IN)
def test_heavy_packages_stay_in_their_places(package: str) -> None:
    used = {
        str(path.relative_to(ROOT))
        for tree in TREES
        for path in sorted((ROOT / tree).rglob("*.py"))
        if package in {name.split(".")[0] for name in imports(path)}
    }
    assert used
    assert used <= ONLY_IN[package]


def test_the_command_line_starts_without_anything_heavy() -> None:
    code = "import sys, murk.rollout.main, murk.rollout.cli, murk.rollout.policies; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"torch", "transformers", "ray", "hydra", "rich", "httpcore", "pyarrow", "fsspec", "diskcache"}
