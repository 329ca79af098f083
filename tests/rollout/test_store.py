"""The store of runs: many workers, killed processes, full and bad disks."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from murk.envs.records import Asked, Call, Sampled, Step, Trajectory
from murk.rollout import tables
from murk.rollout.main import main
from murk.rollout.mending import check_sound
from murk.rollout.run import read_config
from murk.rollout.store import Store, entry_of
from murk.rollout.tables import damage

SYSTEM = "You research."


def trajectory(number: int, status: str = "answered", text: str = "words") -> Trajectory:
    asked = Asked({"type": "Search", "query": "q"}, Call("t", 0), "Hits", "ab" * 32, 1.0)
    steps = (Step("act", f"{text} {number}", ("seek",), 0, (asked,), {"calls": 1.0}), Step("the answer", ""))
    sampled = (Sampled((1, 2), (3,), (-0.25,), usage={"seconds": 0.5}),)
    answered = status == "answered"
    return Trajectory(
        task=f"t{number % 7}",
        status=status,
        answer="the answer" if answered else None,
        id=f"{number:016x}",
        policy="p",
        question="Why?",
        steps=steps if answered else steps[:1],
        pages=((f"https://a.example/{number % 5}", digest_of(number)),) if answered else (),
        error=None if answered else "it broke",
        sampled=sampled,
    )


def digest_of(number: int) -> str:
    return f"{number % 5:064x}"


def entry(number: int, status: str = "answered", text: str = "words") -> dict[str, Any]:
    pages = {digest_of(number): f"page {number % 5}"} if status == "answered" else {}
    score = {"value": float(number), "parts": {}, "notes": []} if status == "answered" else None
    return entry_of(trajectory(number, status, text), f"{status} {number}", SYSTEM, pages, score)


def fill(folder: Path, count: int = 24, workers: int = 3) -> Store:
    """Episodes in journals of several workers."""
    for worker in range(workers):
        store = Store(folder, f"host.{worker}-77")
        for number in range(worker, count, workers):
            store.keep(entry(number))
        store.close()
    return Store(folder)


def whole(folder: Path, count: int = 24) -> None:
    """Every episode is there once, with its score and its page."""
    store = Store(folder)
    found = sorted(store.trajectories(), key=lambda pair: pair[0].id)
    assert found == [(trajectory(number), f"answered {number}") for number in range(count)]
    scores = store.scores()
    assert {name: score["value"] for name, score in scores.items()} == {f"{n:016x}": float(n) for n in range(count)}
    assert store.pages() == {digest_of(number): f"page {number % 5}" for number in range(count)}


def stored(folder: Path) -> list[str]:
    """Ids of the rows of all tables, as `datasets` would see them."""
    import pyarrow.parquet as pq

    return [name for table in folder.glob("trajectories/*") for name in pq.read_table(table)["id"].to_pylist()]


def test_entries_of_other_processes_are_kept_and_equal_runs_have_equal_tables(tmp_path: Path) -> None:
    near, far = Store(tmp_path / "near"), Store(tmp_path / "far", "driver")
    for number in range(10):
        one = entry(number)
        near.add(trajectory(number), one["row"]["digest"], SYSTEM, one["pages"], one["score"])
        far.keep(json.loads(json.dumps(entry(9 - number))))
    whole(tmp_path / "far", 10)
    for store in (near, far):
        store.compact()
        whole(store.folder, 10)
        assert not store.journals()
    near_files, far_files = (
        {path.name: path.read_bytes() for path in (*store.folder.glob("trajectories/*"), store.folder / "scores.jsonl")}
        for store in (near, far)
    )
    assert near_files.keys() == far_files.keys()
    assert [path for path in near_files if near_files[path] != far_files[path]] == []


WRITER = """
import sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from test_store import entry
from murk.rollout.store import Store
store = Store(Path(sys.argv[1]), "worker-" + sys.argv[2])
for number in range(int(sys.argv[2]), 150, 3):
    store.keep(entry(number, text="words " * 500))
"""


def test_journals_are_read_while_they_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = str(Path(__file__).parent)
    children = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(number), here]) for number in range(3)
    ]
    seen = 0
    while any(child.poll() is None for child in children):
        ids = [row["id"] for row in Store(tmp_path).rows(["id"])]
        assert len(ids) == len(set(ids)) >= seen
        seen = len(ids)
    assert [child.wait() for child in children] == [0, 0, 0]
    assert len(Store(tmp_path).index()) == 150
    assert capsys.readouterr().err == ""


KILLER = """
import os, shutil, signal, sys
from itertools import count
from pathlib import Path
from murk.rollout import tables
from murk.rollout.store import Store

def stage(folder, number):
    left = [number]
    def struck(function):
        def call(*arguments, **keywords):
            left[0] -= 1
            if left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **keywords)
        return call
    os.replace, os.unlink, os.link = struck(os.replace), struck(os.unlink), struck(os.link)
    getattr(Store(folder), sys.argv[2])()
    os._exit(0)

tables.ROWS = 10
source = Path(sys.argv[1])
for number in count():
    folder = source.with_name(f"killed-{number}")
    shutil.copytree(source, folder)
    child = os.fork()
    if not child: stage(folder, number)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status != -9: sys.exit(status)
"""


def killed(source: Path, method: str) -> list[Path]:
    """Copies of a folder in each of which a process was killed in the method before it moved a file; the last ended."""
    subprocess.run([sys.executable, "-c", KILLER, str(source), method], check=True)
    return sorted(source.parent.glob("killed-*"))


def test_a_kill_at_any_stage_of_compacting_loses_and_doubles_nothing(tmp_path: Path) -> None:
    source = tmp_path / "run"
    store = Store(source)
    for number in range(0, 24, 6):
        store.keep(entry(number, "errored"))
        store.keep(entry(number + 1))
    store.compact()
    fill(source)
    folders = killed(source, "compact")
    assert len(folders) == 10, "scores, pages, two tables, three journals, and another table for one that had errors"
    for folder in folders:
        whole(folder)
        Store(folder).compact()
        whole(folder)
        assert sorted(stored(folder)) == [f"{number:016x}" for number in range(24)]
        assert not list(folder.rglob("*.partial"))


def test_a_kill_while_mending_loses_nothing_that_is_good(tmp_path: Path) -> None:
    source = tmp_path / "run"
    fill(source, 12).compact()
    fill(source)
    flip(next(source.glob("trajectories/*")), 700)
    journal = sorted(source.glob("journal/*"))[1]
    flip(journal, journal.read_bytes().index(b"\n") + 500)
    for folder in killed(source, "mend"):
        Store(folder).mend()
        assert len(Store(folder).index()) == 23
        assert list(folder.glob("damaged/trajectories-part-*"))
        assert list(folder.glob("damaged/journal-host.1-77.jsonl*"))


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 0x04
    path.write_bytes(data)


def other_columns(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"name": ["a"]}), path)


def bad_row(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[3]["steps"] = ["no JSON"]
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "flipped": lambda path: flip(path, 1000),
    "flipped footer": lambda path: flip(path, path.stat().st_size - 40),
    "flipped length": lambda path: flip(path, path.stat().st_size - 6),
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "not Parquet": lambda path: path.write_text("hello"),
    "other columns": other_columns,
    "a bad row": bad_row,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_table_is_set_aside_and_its_episodes_are_missing(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, 12).compact()
    for number in range(12, 24):
        Store(tmp_path, f"w{number}").keep(entry(number))
    Store(tmp_path).compact()
    table, good = sorted(tmp_path.glob("trajectories/*"))
    DAMAGE[kind](table)
    broken, before = table.read_bytes(), good.read_bytes()
    for row in Store(tmp_path).rows(["id", "answer"]):
        assert row["answer"] == "the answer"
    assert table.read_bytes() == broken, "readers change nothing"
    capsys.readouterr()
    (told,) = Store(tmp_path).mend()
    assert capsys.readouterr().err == f"murk: {told}\n"
    assert f"{table} is damaged" in told
    assert "12 episodes count as missing" in told
    assert (tmp_path / "damaged" / f"trajectories-{table.name}").read_bytes() == broken
    assert good.read_bytes() == before
    assert sorted(Store(tmp_path).index()) == [f"{number:016x}" for number in range(12, 24)]
    assert len(Store(tmp_path).scores()) == 12
    assert Store(tmp_path).mend() == []
    fill(tmp_path, 12).compact()
    whole(tmp_path)
    assert len(stored(tmp_path)) == 24


def test_no_flipped_byte_of_a_table_goes_unseen_or_breaks_a_reader(tmp_path: Path) -> None:
    fill(tmp_path, 6).compact()
    (table,) = tmp_path.glob("trajectories/*")
    data = table.read_bytes()
    rows = {row["id"]: row for row in Store(tmp_path).rows()}
    draw = random.Random(1)
    for place in [*range(len(data) - 200, len(data), 9), *(draw.randrange(len(data)) for _ in range(120))]:
        flip(table, place)
        assert damage(table) is not None
        for row in Store(tmp_path).rows(["id", "messages"]):
            assert rows.get(row["id"], row)["messages"] == row["messages"], place
        table.write_bytes(data)
    assert damage(table) is None


def test_no_flipped_byte_of_a_journal_is_taken_for_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, 6, workers=1)
    (journal,) = tmp_path.glob("journal/*")
    data, rows = journal.read_bytes(), {row["id"]: row for row in Store(tmp_path).rows()}
    draw = random.Random(1)
    for place in [0, 5, 12, 19, 20, 21, len(data) - 1, *(draw.randrange(len(data)) for _ in range(150))]:
        flip(journal, place)
        found = list(Store(tmp_path).rows())
        assert all(row == rows[row["id"]] for row in found)
        assert len(found) in (4, 5), place
        journal.write_bytes(data)
    flip(journal, data.index(b"words 3") + 1)
    broken = journal.read_bytes()
    Store(tmp_path).compact()
    assert journal.exists(), "its damage is not yet set aside"
    capsys.readouterr()
    told = Store(tmp_path).mend()
    assert f"{journal} is damaged in 1 of its 6 lines" in told[0]
    assert capsys.readouterr().err == "".join(f"murk: {sentence}\n" for sentence in told)
    assert (tmp_path / "damaged" / f"journal-{journal.name}").read_bytes() == broken
    assert len(Store(tmp_path).index()) == 5
    Store(tmp_path).keep(entry(3))
    Store(tmp_path).compact()
    whole(tmp_path, 6)


def test_the_same_damage_twice_is_set_aside_twice(tmp_path: Path) -> None:
    for _ in range(2):
        fill(tmp_path, 4, workers=1)
        (journal,) = tmp_path.glob("journal/*")
        os.truncate(journal, journal.stat().st_size - 10)
        assert "ends in the middle of a line" in Store(tmp_path).mend()[0]
        journal.unlink()
    assert len(list((tmp_path / "damaged").iterdir())) == 2


URL = "https://vale.example/lighthouse.html"
TURNS = [
    f'<toolcall>{{"name": "batch_web_surfer", "arguments": {{"action": "batch_open", "urls": ["{URL}"]}}}}</toolcall>',
    f"<answer>It was lit in 1874 [source]({URL}).</answer>",
]


@pytest.fixture
def run(vale_dir: Path, tmp_path: Path) -> Path:
    """A finished run whose episodes open a page."""
    rubric = [{"text": "gives the year", "weight": 5, "check": {"kind": "alias", "values": ["1874"]}}]
    tasks = [{"id": f"light{number}", "question": "When was it lit?", "rubric": rubric} for number in range(3)]
    (tmp_path / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    out = tmp_path / "run"
    given = [f"world={vale_dir}", f"tasks={tmp_path / 'tasks.jsonl'}", "policy=scripted", f"out={out}", "samples=4"]
    assert main(["rollout", *given, f"policy.scripted.turns={json.dumps(TURNS)}"]) == 0
    return out


def test_a_run_without_its_pages_is_shown_and_scored(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (table,) = run.glob("pages/*")
    flip(table, 30)
    names = sorted(Store(run).index())
    for command in (["show", str(run)], ["show", str(run), names[0]], ["score", str(run), "reward=rubric"]):
        assert main(command) == 0
    told = capsys.readouterr().err
    assert told.count(f"{table} is damaged") == 1
    first, second = Store(run).mend()
    assert "its 1 texts of pages are lost" in first
    assert "lost to 12 trajectories" in second
    assert ", ".join(names[:10]) in second
    assert main(["score", str(run), "reward=rubric"]) == 0
    assert {row["value"] for row in Store(run).scores().values()} == {None}


def test_what_was_set_aside_is_run_again(run: Path) -> None:
    before = json.loads((run / "summary.json").read_text())
    (table,) = run.glob("trajectories/*")
    flip(table, table.stat().st_size // 2)
    Store(run).mend()
    assert not Store(run).index()
    assert main(["rollout", f"resume={run}"]) == 0
    after = json.loads((run / "summary.json").read_text())
    assert {name: after[name] for name in ("digest", "reward", "episodes")} == {
        name: before[name] for name in ("digest", "reward", "episodes")
    }
    assert len(stored(run)) == 12
    assert read_config(run)["samples"] == 4


def test_a_full_disk_leaves_no_half_line_and_the_store_goes_on(tmp_path: Path) -> None:
    store = Store(tmp_path, "0")
    store.keep(entry(0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "journal" / "0.jsonl").stat().st_size + 700, hard))
    try:
        with pytest.raises(OSError, match="large"):
            store.keep(entry(1))
        assert (tmp_path / "journal" / "0.jsonl").read_bytes().endswith(b"\n")
        with pytest.raises(OSError, match="large"):
            store.add(trajectory(1), "d", SYSTEM, {}, None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for number in range(1, 6):
        store.keep(entry(number))
    whole(tmp_path, 6)


def test_where_not_even_cutting_works_the_next_line_stands_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.keep(entry(0))

    def failing(*arguments: Any) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", failing)
        disk.setattr(os, "ftruncate", failing)
        with pytest.raises(OSError, match="Input/output"):
            store.keep(entry(1))
    os.truncate(tmp_path / "journal" / "0.jsonl", (tmp_path / "journal" / "0.jsonl").stat().st_size - 5)
    for number in range(1, 4):
        store.keep(entry(number))
    whole(tmp_path, 4)


def test_a_full_disk_while_compacting_leaves_the_journals(tmp_path: Path) -> None:
    store = fill(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(OSError, match=r"large|write"):
            store.compact()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    whole(tmp_path)
    store.compact()
    whole(tmp_path)
    assert len(stored(tmp_path)) == 24


def test_compacting_holds_few_rows_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BYTES", 1 << 20)
    store = Store(tmp_path)
    for number in range(300):
        store.keep(entry(number, text="words " * 10_000))
    store.compact()
    assert len(list(tmp_path.glob("trajectories/*"))) == 17, "18 rows of 60 kB make a table"
    shutil.rmtree(tmp_path / "trajectories")
    for number in range(300):
        store.keep(entry(number, text="words " * 10_000))
    tracemalloc.start()
    store.compact()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 << 20, "of 18 MB"
    assert len(store.index()) == 300


def test_a_process_that_is_killed_while_it_writes_loses_only_what_was_not_acknowledged(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), "0", here])
    while len(Store(tmp_path).index()) < 5:
        assert child.poll() is None
    child.send_signal(signal.SIGKILL)
    child.wait()
    with (tmp_path / "journal" / "worker-0.jsonl").open("ab") as journal:
        journal.write(b'{"crc32":"0000')
    store = Store(tmp_path, "other")
    count = len(store.index())
    store.compact()
    assert len(stored(tmp_path)) == count >= 5
    assert not store.journals()
    check_sound(store)
