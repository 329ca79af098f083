"""A cluster of three nodes on one machine: one goes in mid-run, and some do not see the run's folder."""

from pathlib import Path

import pytest
from chaos import murk, python, summary

from murk.rollout.store import Store

pytestmark = [pytest.mark.slow, pytest.mark.ray]

NODE_LOST = """
import json, subprocess, sys, time
from pathlib import Path
from ray.cluster_utils import Cluster

out, given = Path(sys.argv[1]), sys.argv[2:]
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
murk = [sys.executable, "-m", "murk.rollout.main", "rollout", *given, f"rollout.address={cluster.address}"]
run = subprocess.Popen(murk, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

def written():
    return [path.read_bytes().count(b"\\n") for path in out.glob("journal/*.jsonl")]

while run.poll() is None and not (len(written()) >= 3 and sum(written()) >= 12):
    time.sleep(0.05)
before = sum(written())
cluster.remove_node(nodes[0], allow_graceful=False)
error = run.communicate(timeout=200)[1]
cluster.shutdown()
print(json.dumps([before, run.returncode, error[-1000:]]))
"""


def test_a_run_outlives_the_loss_of_a_node(invented: list[str], tmp_path: Path, outside: dict[str, str]) -> None:
    given = [*invented, "~policy.react", "+policy.slow={seconds: 0.2}", "episodes=30", "samples=2"]
    out, whole = tmp_path / "run", tmp_path / "whole"
    murk([*given, f"out={whole}", "rollout.concurrency=60"], outside)
    way = ["rollout=cluster", "rollout.per_host=1", "rollout.concurrency=4", f"out={out}"]
    before, status, error = python(NODE_LOST, outside, out, *given, *way)
    assert status == 0, error
    assert 12 <= before < 60
    assert summary(out)["digest"] == summary(whole)["digest"]
    assert (summary(out)["episodes"], summary(out)["errored"]) == (60, 0)
    assert summary(out)["machinery"]["retried"] > 0
    assert len(list(Store(out).rows(["id"]))) == 60


ELSEWHERE = """
import json, sys
from murk.rollout import build, drive
from murk.rollout.main import main

made = build.job
drive.job = lambda plan, folder, mark: made(plan, folder, mark) | {"folder": "/a/disk/that/only/the/driver/sees"}
status = main(["rollout", *sys.argv[1:]])
print()
print(json.dumps(status))
"""


def test_workers_that_do_not_see_the_folder_send_what_they_have(
    invented: list[str], tmp_path: Path, outside: dict[str, str]
) -> None:
    given = [*invented, "policy=[naive,careful]", "faults=storm", "faults.intensity=0.3", "episodes=8"]
    out, whole = tmp_path / "run", tmp_path / "whole"
    murk([*given, f"out={whole}"], outside)
    way = ["rollout=ray", "rollout.actors=2", f"out={out}"]
    assert python(ELSEWHERE, outside, *given, *way) == 0
    assert summary(out)["digest"] == summary(whole)["digest"]
    assert sorted(Store(out).pages().items()) == sorted(Store(whole).pages().items())
    assert (out / "scores.jsonl").read_bytes() == (whole / "scores.jsonl").read_bytes()
