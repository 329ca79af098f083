"""Whole real sources, built in one command as a user would."""

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from murk.envs.web.manifest import verify
from murk.envs.web.snapshot import Snapshot

PYTHON_DOC = Path("/usr/share/doc/python3/html")
BUILD = "import resource, sys; from murk.rollout.main import main; status = main(sys.argv[1:])\n" + (
    "print(max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))\n"
    "sys.exit(status)"
)


def build(*arguments: object) -> tuple[dict[str, object], int]:
    """Report and peak memory in KiB of `murk snapshot build`, run in a process of its own."""
    command = [sys.executable, "-c", BUILD, "snapshot", "build", *map(str, arguments), "--json"]
    report, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return json.loads(report), int(peak)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_wikispeedia_builds_twice_the_same_within_its_memory(data: Path, tmp_path: Path) -> None:
    source = data / "wikispeedia" / "pages.jsonl.gz"
    first, peak = build(source, tmp_path / "one")
    second, _ = build(source, tmp_path / "two", "--workers", 1)
    assert (first["pages"], first["links"], first["skipped"]) == (4598, 119_879, {})
    assert first["content_digest"] == second["content_digest"]
    assert (tmp_path / "one" / "manifest.json").read_bytes() == (tmp_path / "two" / "manifest.json").read_bytes()
    assert peak < 2 << 20
    assert verify(tmp_path / "one") == []
    code = (
        "import sys; from murk.envs.web.snapshot import Snapshot; s = Snapshot.open(sys.argv[1])\n"
        "[s.search(q, 10) for q in ('king of scotland', 'photosynthesis', 'world war')]\n"
        "rows = dict(line.split(':') for line in open('/proc/self/smaps_rollup').read().splitlines()[1:])\n"
        "print(sum(int(rows[name].split()[0]) for name in ('Private_Clean', 'Private_Dirty')))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "one")]
    with subprocess.Popen(
        [*command[:2], code + "\nsys.stdout.flush(); input()", *command[3:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()  # a process that has the snapshot open already
        private = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        other.communicate("\n")
    assert private < 40 << 10, f"a second process adds {private} KiB"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_documentation_site_is_found_by_its_functions(tmp_path: Path) -> None:
    if not PYTHON_DOC.is_dir():
        reason = "the Debian package python3-doc is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    build(PYTHON_DOC, tmp_path / "out", "--base-url", "https://docs.example/3/")
    world = Snapshot.open(tmp_path / "out")
    for name, page in {
        "bisect_left": "bisect", "json.dumps": "json", "asyncio.gather": "asyncio-task", "shutil.rmtree": "shutil",
        "functools.lru_cache": "functools", "difflib.get_close_matches": "difflib", "heapq.heappush": "heapq",
    }.items():  # fmt: skip
        assert world.search(name).hits[0].url == f"https://docs.example/3/library/{page}.html", name
    first = found = total = 0
    for name, page in functions(PYTHON_DOC / "objects.inv"):
        urls = [hit.url for hit in world.search(name).hits]
        total += 1
        first += urls[:1] == [f"https://docs.example/3/{page}"]
        found += f"https://docs.example/3/{page}" in urls
    assert total > 1000
    assert first / total > 0.85
    assert found / total > 0.97


def functions(inventory: Path) -> list[tuple[str, str]]:
    """All documented functions and their pages, from the inventory that the documentation carries (Sphinx, v2)."""
    body = zlib.decompress(inventory.read_bytes().split(b"\n", 4)[4]).decode()
    rows = [line.split(" ", 4) for line in body.splitlines()]
    return [(row[0], row[3].split("#")[0]) for row in rows if row[1] == "py:function"]
