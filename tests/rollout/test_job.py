"""`ray job submit` with the wheel, to a cluster of one node that was started as README says."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos import murk, summary, until

pytestmark = [pytest.mark.slow, pytest.mark.ray]

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
PORTS = ("port", "dashboard-port", "ray-client-server-port", "dashboard-agent-listen-port", "dashboard-agent-grpc-port")
TREES = ("envs", "rewards", "rollout", "configs", "pyproject.toml", "setup.py", "README.md", "LICENSE")
WHERE = "import murk.rollout.cli, murk.configs; print('murk of', murk.rollout.cli.__file__)"


def free_ports(count: int) -> list[int]:
    with_ports = [socket.socket() for _ in range(count)]
    for one in with_ports:
        one.bind(("127.0.0.1", 0))
    found = [one.getsockname()[1] for one in with_ports]
    for one in with_ports:
        one.close()
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in TREES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    command = ["pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w", out, source]
    subprocess.run([sys.executable, "-m", *map(str, command)], check=True, capture_output=True)
    return next(out.glob("*.whl"))


@pytest.fixture
def cluster(outside: dict[str, str], tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A head on this machine: the address for jobs, and the environment variables of whoever sends them."""
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    # Ray asks for a token by default; this one is known to this test alone.
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": os.urandom(16).hex(), "RAY_USAGE_STATS_ENABLED": "0"}
    plain = {name: value for name, value in outside.items() if name != "PYTHONPATH"}
    environment = plain | token | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    options = [f"--{name}={port}" for name, port in ports.items()]
    options += ["--num-cpus=2", "--object-store-memory=100000000", f"--temp-dir={outside['RAY_TMPDIR']}/head"]
    log = tmp_path / "head.log"
    with log.open("w") as file:
        command = [str(BIN / "ray"), "start", "--head", "--block", *options]
        head = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
    try:
        until(lambda: "--block" in log.read_text(), seconds=60)
        yield f"http://127.0.0.1:{ports['dashboard-port']}", environment
    finally:
        head.terminate()
        head.wait(30)


def test_a_job_runs_the_wheel(
    wheel: Path, cluster: tuple[str, dict[str, str]], invented: list[str], outside: dict[str, str], tmp_path: Path
) -> None:
    given = [*invented, "policy=[naive,careful]", "episodes=6", "faults=storm", "faults.intensity=0.3"]
    out, whole = tmp_path / "run", tmp_path / "whole"
    murk([*given, f"out={whole}"], outside)
    address, environment = cluster
    entry = " ".join(["murk", "rollout", "rollout=cluster", *(f"'{one}'" for one in given), f"out={out}"])
    submit = ["job", "submit", "--address", address, "--runtime-env-json", json.dumps({"py_modules": [str(wheel)]})]
    command = [str(BIN / "ray"), *submit, "--", "sh", "-c", f'python -c "{WHERE}" && {entry}']

    for _ in range(5):  # the node's agent for jobs may come up later than its head
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
        if "No available agent" not in done.stderr:
            break
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    place = next(line for line in done.stdout.splitlines() if line.startswith("murk of"))
    assert "py_modules_files" in place
    assert str(ROOT) not in place
    assert summary(out)["digest"] == summary(whole)["digest"]
