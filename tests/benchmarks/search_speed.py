"""Search latency, first answer in a new process, memory, ties and read-only mounts, beside tantivy and bm25s."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import (
    ROOT,
    WORK,
    bm25s_folder,
    interleaved,
    p50_p99,
    plain,
    short_queries,
    snapshot_folder,
    table,
    tantivy_folder,
    typed_queries,
    versions,
    without_common,
)
from engines import ENGINES, open_bm25s, open_murk, open_murk_ids, open_tantivy

from murk.envs.web.snapshot import Snapshot

REPEATS = 5
MEMORY_QUERIES = 200

_Target = tuple[str, str, str]

_SCRIPT = Path(__file__).with_name("engines.py")
_SEARCH, _IDS = "murk: pages, titles, snippets", "murk: ids of pages and passages"
_TANTIVY, _COUNTING = "tantivy: ids of passages", "tantivy: the same, counting matches"
_CUT, _BM25S = "tantivy: without common words", "bm25s numba: ids of passages"


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the snapshot and the peers' indexes of its passages are."""

    murk: str
    tantivy: str
    bm25s: str

    def of(self, engine: str) -> str:
        """The folder of an engine of `ENGINES`."""
        return {"tantivy": self.tantivy, "bm25s": self.bm25s}.get(engine, self.murk)


def main() -> None:
    """Prints all tables."""
    folder = snapshot_folder()
    snapshot = Snapshot.open(folder)
    folders = Folders(str(folder), str(tantivy_folder(snapshot)), str(bm25s_folder(snapshot)))
    print(f"# Search on {snapshot.info['passages']:,} passages of {len(snapshot):,} Wikispeedia pages")
    print(versions("murk-gym", "tantivy", "bm25s", "numba", "numpy"))
    typed, short = typed_queries(), short_queries()
    targets: list[_Target] = []
    for queries, kind in ((typed, "claims and questions as typed"), (short, "queries of 3-8 words")):
        for k in (10, 50):
            targets += _latency(snapshot, folders, queries, k, kind)
    few, many = _query_file("memory", typed[:MEMORY_QUERIES]), _query_file("short", short)
    targets += [_first_answers(folders, few), _memory(folders, few), _ties(folders, many), _read_only(folders, few)]
    table("Targets", ["", "measured", "met"], targets)


def _latency(snapshot: Snapshot, folders: Folders, queries: list[str], k: int, kind: str) -> list[_Target]:
    """Latency of all engines. Taking a query apart counts; taking out what is syntax for a peer does not."""
    bare = [plain(query) for query in queries]
    rarer = [without_common(snapshot, query) for query in queries]
    asks: dict[str, tuple[Callable[[str, int], object], list[str]]] = {
        _SEARCH: (open_murk(folders.murk).ask, queries),
        _IDS: (open_murk_ids(folders.murk).ask, queries),
        _CUT: (open_tantivy(folders.tantivy).ask, rarer),
        _TANTIVY: (open_tantivy(folders.tantivy).ask, bare),
        _COUNTING: (open_tantivy(folders.tantivy, count=True).ask, bare),
        _BM25S: (open_bm25s(folders.bm25s).ask, bare),
    }

    def bound(ask: Callable[[str, int], object], texts: list[str]) -> Callable[[int], object]:
        return lambda i: ask(texts[i], k)

    times = interleaved({name: bound(*pair) for name, pair in asks.items()}, len(queries))
    rows = [[name, *p50_p99(values)] for name, values in times.items()]
    table(f"Latency of one search, k = {k}, {len(queries):,} {kind}; microseconds", ["", "p50", "p99"], rows)
    p50 = {name: float(np.median(values)) for name, values in times.items()}
    return [
        (
            f"k = {k}, {kind}: p50 of murk's ids under {peer.split(':')[0]}'s ({peer.split(': ')[1]})",
            f"{p50[_IDS]:,.0f} against {p50[peer]:,.0f} us",
            _yes(p50[_IDS] < p50[peer]),
        )
        for peer in (_TANTIVY, _CUT, _BM25S)
    ]


def _first_answers(folders: Folders, queries: Path) -> _Target:
    """Seconds from the start of a new process to its first answer."""
    seconds: dict[str, list[float]] = {name: [] for name in ("murk", "tantivy", "bm25s", "numpy")}
    for _ in range(REPEATS):
        for name, found in seconds.items():
            began = time.perf_counter()
            with _start(name, "first", folders.of(name), queries) as process:
                assert process.stdout is not None
                process.stdout.readline()
                found.append(time.perf_counter() - began)
    names = {"murk": "murk", "tantivy": "tantivy", "bm25s": "bm25s numba, memory-mapped", "numpy": "import numpy alone"}
    rows = [[names[n], f"{statistics.median(s):.3f}", f"{min(s):.3f}", f"{max(s):.3f}"] for n, s in seconds.items()]
    table(f"First answer of a new process, {REPEATS} repeats; seconds", ["", "median", "least", "most"], rows)
    answer = statistics.median(seconds["murk"])
    return "first answer under 0.3 s", f"{answer:.3f} s", _yes(answer < 0.3)


def _memory(folders: Folders, queries: Path) -> _Target:
    """Memory that only a second process holds while a first one has done the same searches."""
    rows, own = [], {}
    for name in ("murk", "tantivy", "bm25s", "numpy"):
        processes = [_start(name, "wait", folders.of(name), queries) for _ in range(2)]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        sizes = _rollup(processes[1].pid)
        own[name] = (sizes["Private_Clean"] + sizes["Private_Dirty"]) / 1e6
        rows.append([name, f"{own[name]:.1f}", f"{sizes['Pss'] / 1e6:.1f}", f"{sizes['Rss'] / 1e6:.1f}"])
        for process in processes:
            process.communicate("\n")
    rows[-1][0] = "import numpy alone"
    title = f"Memory of a second process after {MEMORY_QUERIES} searches beside a first one; MB"
    table(title, ["", "private (USS)", "share (PSS)", "resident (RSS)"], rows)
    return "second process under 40 MB", f"{own['murk']:.1f} MB", _yes(own["murk"] < 40)


def _ties(folders: Folders, queries: Path) -> _Target:
    """Whether results are the same in processes that hash strings otherwise, and how ties are ordered."""
    rows = []
    for name in ("murk", "murk ids", "tantivy", "bm25s"):
        found = []
        for seed in ("1", "2"):
            with _start(name, "digest", folders.of(name), queries, PYTHONHASHSEED=seed) as process:
                found.append(process.communicate()[0].split())
        rows.append([name, _yes(found[0] == found[1]), *found[0][1:]])
    head = ["", "same in two processes", "queries with ties out of order", "k = 10 not the head of k = 50"]
    table(f"Exactness: {len(queries.read_text().splitlines())} queries, k = 50", head, rows)
    return "exact ties, the same in every process", "", _yes(rows[0][1:] == rows[1][1:] == ["yes", "0", "0"])


def _read_only(folders: Folders, queries: Path) -> _Target:
    """Whether each engine answers from a read-only mount, in a mount namespace of its own."""
    bind = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && '
    probe = subprocess.run(_unshared(f"{bind} true", folders.murk), capture_output=True, check=False)
    rows, works = [], True
    for name in ("murk", "tantivy", "bm25s"):
        if probe.returncode:
            note = _without_write_permission(name, folders.of(name), queries)
        else:
            command = [sys.executable, str(_SCRIPT), name, "first", folders.of(name), str(queries)]
            writes = 'touch "$4/x" 2>/dev/null && echo "the mount can be written" >&2 && exit 1; exec "$@"'
            note = _outcome(_unshared(bind + "{ " + writes + "; }", folders.of(name), *command))
        works = works and (name != "murk" or note == "works")
        rows.append([name, note])
    how = "copy without write permission (no right to mount here)" if probe.returncode else "read-only bind mount"
    table(f"Opens and answers on a {how}", ["", "outcome"], rows)
    return "works on a read-only mount", "", _yes(works)


def _unshared(script: str, *arguments: str) -> list[str]:
    return ["unshare", "--mount", "sh", "-c", script, "sh", *arguments]


def _without_write_permission(name: str, folder: str, queries: Path) -> str:
    copy = WORK / "read-only"
    shutil.copytree(folder, copy)
    try:
        for path in [*copy.rglob("*"), copy]:
            path.chmod(path.stat().st_mode & ~0o222)
        return _outcome([sys.executable, str(_SCRIPT), name, "first", str(copy), str(queries)])
    finally:
        for path in [copy, *copy.rglob("*")]:
            path.chmod(path.stat().st_mode | 0o200)
        shutil.rmtree(copy)


def _outcome(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "works" if not done.returncode else (done.stderr.strip().splitlines() or ["fails"])[-1].split("{")[0][:80]


def _yes(met: bool) -> str:
    return "yes" if met else "no"


def _start(name: str, mode: str, folder: str, queries: Path, **environment: str) -> subprocess.Popen[str]:
    assert name in ENGINES
    command = [sys.executable, str(_SCRIPT), name, mode, folder, str(queries)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=os.environ | environment, cwd=ROOT)


def _rollup(process: int) -> dict[str, int]:
    """Bytes by kind of memory of a process."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(rest.split()[0]) * 1024 for name, rest in (line.split(":") for line in lines)}


def _query_file(name: str, queries: list[str]) -> Path:
    path = WORK / f"queries.{name}.txt"
    path.write_text("".join(f"{plain(query)}\n" for query in queries), "utf-8")
    return path


if __name__ == "__main__":
    main()
