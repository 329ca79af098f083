"""Building, reading, damage."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from murk.envs.errors import NotInSnapshot, SnapshotError, UsageError
from murk.envs.records import Call, Failure, Hits, LinkList, Links, Open, Page, Search
from murk.envs.web.build import Options, build
from murk.envs.web.manifest import read_manifest, verify
from murk.envs.web.snapshot import Snapshot


def write_pages(path: Path, *rows: Mapping[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def dated_world(tmp_path: Path) -> Snapshot:
    rows = [
        {"url": "https://a.example/p", "date": d, "title": f"T {d}", "text": f"Chair: {n}."}
        for d, n in (("2023-01-26", "Brook"), ("2021-03-01", "Ash"), ("2024-07-25", "Cole"))
    ]
    build([write_pages(tmp_path / "x.jsonl", *rows)], tmp_path / "out", Options(workers=1))
    return Snapshot.open(tmp_path / "out")


def test_pages_hold_what_the_files_said(vale: Snapshot) -> None:
    page = vale.page("https://vale.example/tessary.html")
    assert page.title == "Tessary"
    assert "# Tessary" in page.text
    assert "| [Orrin Vale](https://vale.example/index.html) | 4,310 |" in page.text
    assert "Printed by the Vale Press" not in page.text
    assert "Home" not in page.text
    links = vale.links("https://vale.example/index.html").links
    assert [(link.url, link.text, link.inside) for link in links][:2] == [
        ("https://vale.example/tessary.html", "Tessary", True),
        ("https://vale.example/harbour.html", "The harbour", True),
    ]


def test_captures_of_one_page_are_kept_by_date(tmp_path: Path) -> None:
    world = dated_world(tmp_path)
    url = "https://a.example/p"
    assert len(world) == 1
    assert world.page(url).text == "Chair: Cole."
    assert world.page(url).captures == ("2021-03-01", "2023-01-26", "2024-07-25")
    for at, name in (
        ("2021", "Ash"),
        ("2022", "Ash"),
        ("2023-01-25", "Ash"),
        ("2023-01-26", "Brook"),
        ("2023", "Brook"),
        ("2030", "Cole"),
        ("1990", "Ash"),
        ("20240725", "Cole"),
    ):
        assert world.page(url, at).text == f"Chair: {name}.", at
    assert world.page("/web/20230201/https://a.example/p").text == "Chair: Brook."
    assert world.search("chair").hits[0].date == "2024-07-25"
    assert world.search("brook").hits == ()
    with pytest.raises(ValueError, match="not a date"):
        world.page(url, "last year")


@pytest.mark.parametrize(
    "spelling",
    [
        "vale.example/ferry.html",
        "http://VALE.example/ferry.html#top",
        "https://vale.example/ferry.html/",
        "//vale.example/ferry.html",
    ],
)
def test_a_page_is_found_by_what_a_person_may_type(vale: Snapshot, spelling: str) -> None:
    assert vale.page(spelling).url == "https://vale.example/ferry.html"


def test_a_world_answers_and_never_raises(vale: Snapshot) -> None:
    call = Call()
    assert isinstance(vale.answer(Search("lighthouse"), call), Hits)
    assert isinstance(vale.answer(Open("https://vale.example/ferry.html"), call), Page)
    assert isinstance(vale.answer(Links("https://vale.example/ferry.html"), call), LinkList)
    for request, kind in (
        (Open("https://vale.example/none.html"), "not_found"),
        (Open("\x00\ud800"), "not_found"),
        (Open("https://vale.example/ferry.html", "soon"), "bad_request"),
        (Search("x", 5, "cellar"), "bad_request"),
        (Links("x" * 100_000), "not_found"),
    ):
        answer = vale.answer(request, call)
        assert isinstance(answer, Failure)
        assert answer.kind == kind
        assert len(answer.message) < 500
    assert len(vale.answer(Search("vale", 10_000), call).hits) > 1  # type: ignore[union-attr]
    with pytest.raises(NotInSnapshot):
        vale.page("https://vale.example/none.html")


def test_workers_and_runs_do_not_change_a_byte(data: Path, tmp_path: Path) -> None:
    source = data / "wikispeedia-small" / "pages.jsonl.gz"
    manifests = []
    for name, workers in (("one", 1), ("two", 2), ("three", 3)):
        build([source], tmp_path / name, Options(workers=workers))
        manifests.append((tmp_path / name / "manifest.json").read_bytes())
    assert len(set(manifests)) == 1


def test_the_content_digest_does_not_depend_on_the_order_of_sources(tmp_path: Path) -> None:
    one = write_pages(tmp_path / "one.jsonl", {"url": "https://a.example/1", "text": "first"})
    two = write_pages(tmp_path / "two.jsonl", {"url": "https://a.example/2", "text": "second"})
    first = build([one, two], tmp_path / "x", Options(workers=1))
    second = build([two, one], tmp_path / "y", Options(workers=1))
    assert first.content_digest == second.content_digest
    write_pages(two, {"url": "https://a.example/2", "text": "second!"})
    assert build([one, two], tmp_path / "z", Options(workers=1)).content_digest != first.content_digest


def test_duplicates_and_broken_lines_are_counted(tmp_path: Path) -> None:
    source = tmp_path / "x.jsonl"
    good = {"url": "https://a.example/1", "text": "words"}
    lines = [json.dumps(good), json.dumps(good), "{", "[]", json.dumps({"url": "https://a.example/2"}), "\ud800"]
    lines += [
        json.dumps({"url": "ftp://a.example/", "text": "x"}),
        json.dumps({"url": "https://a.example/3", "text": " "}),
    ]
    lines += [json.dumps(good | {"date": "then"}), json.dumps(good | {"links": [3]}), "[" * 100_000]
    source.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    report = build([source], tmp_path / "out", Options(workers=1))
    assert report.captures == 1
    assert report.skipped == {
        "bad-date": 1,
        "bad-json": 3,
        "bad-links": 1,
        "bad-url": 1,
        "duplicate": 1,
        "no-body": 1,
        "no-text": 1,
        "no-url": 1,
    }


def test_nothing_readable_leaves_nothing(tmp_path: Path) -> None:
    source = write_pages(tmp_path / "x.jsonl", {"no": "page"})
    with pytest.raises(UsageError, match=r"no page could be read. Left out: no-url \(1\)"):
        build([source], tmp_path / "out", Options(workers=1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.jsonl"]
    with pytest.raises(UsageError, match="does not exist"):
        build([tmp_path / "none"], tmp_path / "out")


def test_an_existing_target_is_left_alone(tmp_path: Path, vale_dir: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        build([write_pages(tmp_path / "x.jsonl", {"url": "https://a.example/", "text": "t"})], tmp_path / "out")


def test_a_killed_build_leaves_no_snapshot(data: Path, tmp_path: Path) -> None:
    source = data / "wikispeedia-small" / "pages.jsonl.gz"
    for sign, delay in ((signal.SIGINT, 0.8), (signal.SIGTERM, 1.0), (signal.SIGKILL, 1.2)):
        process = subprocess.Popen(
            [sys.executable, "-m", "murk.rollout.main", "snapshot", "build", str(source), str(tmp_path / "out")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(delay)
        process.send_signal(sign)
        process.wait()
        assert not (tmp_path / "out").exists() or not verify(tmp_path / "out")
        if sign != signal.SIGKILL:
            assert not list(tmp_path.glob(".out.*"))
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
    build([source], tmp_path / "out", Options(workers=1))
    assert verify(tmp_path / "out") == []


def test_every_flipped_byte_is_found_and_named(vale_dir: Path, tmp_path: Path) -> None:
    for original in sorted(vale_dir.iterdir()):
        size = original.stat().st_size
        for place in {0, size // 2, size - 1} if size else set():
            copy = tmp_path / "copy"
            shutil.copytree(vale_dir, copy)
            data = bytearray((copy / original.name).read_bytes())
            data[place] ^= 1
            (copy / original.name).write_bytes(data)
            wrong = verify(copy)
            assert len(wrong) == 1, (original.name, place)
            assert original.name in wrong[0]
            shutil.rmtree(copy)
    assert verify(vale_dir) == []


def test_missing_foreign_linked_and_shortened_files_are_refused(vale_dir: Path, tmp_path: Path) -> None:
    def damaged(change: str) -> Path:
        copy = tmp_path / change
        shutil.copytree(vale_dir, copy)
        return copy

    (damaged("missing") / "text.bin").unlink()
    with (damaged("shorter") / "text.bin").open("r+b") as file:
        file.truncate(10)
    linked = damaged("linked") / "text.bin"
    shutil.copy(linked, tmp_path / "elsewhere")
    linked.unlink()
    linked.symlink_to(tmp_path / "elsewhere")
    for change in ("missing", "shorter", "linked"):
        with pytest.raises(SnapshotError, match=r"text\.bin"):
            Snapshot.open(tmp_path / change)
    (damaged("foreign") / "more.bin").write_bytes(b"x")
    assert verify(tmp_path / "foreign") == ["more.bin does not belong to the snapshot."]
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(SnapshotError):
            Snapshot.open(folder)


def reseal(folder: Path) -> None:
    """Gives a forged snapshot a valid manifest, as an attacker would."""
    from murk.envs.web.manifest import NAME, write_manifest

    info = json.loads((folder / NAME).read_text())
    (folder / NAME).unlink()
    write_manifest(folder, {k: v for k, v in info.items() if k not in ("files", "seal", "format", "version")})


def test_a_pickle_in_an_array_is_never_loaded(vale_dir: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(vale_dir, copy)

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    np.save(copy / "dates.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    reseal(copy)
    with pytest.raises(SnapshotError, match=r"dates\.npy"):
        Snapshot.open(copy)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "name",
    [
        "passages",
        "spans",
        "pages.captures",
        "text.offsets",
        "pages.starts",
        "terms.starts",
        "pages.by_key",
        "spans.page",
        "pages.host",
        "pages.tier",
        "links.offsets",
    ],
)
@pytest.mark.parametrize("value", [-1, 2**31 - 1])
def test_forged_numbers_end_in_a_clear_error(vale_dir: Path, tmp_path: Path, name: str, value: int) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(vale_dir, copy)
    array = np.load(copy / f"{name}.npy")
    flat = array.reshape(-1)
    flat[: max(1, len(flat) - 1)] = np.array(value).astype(array.dtype)
    np.save(copy / f"{name}.npy", array)
    reseal(copy)
    try:
        world = Snapshot.open(copy)
        for query in ("harbour", "lighthouse 1874", '"orrin vale"', "site:vale.example"):
            world.search(query)
        for document in ("ferry.html", "index.html"):
            world.answer(Open("https://vale.example/" + document), Call())
            world.answer(Links("https://vale.example/" + document), Call())
    except SnapshotError:
        return


def test_many_processes_read_one_read_only_snapshot(vale_dir: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(vale_dir, copy)
    for path in copy.iterdir():
        path.chmod(0o444)
    copy.chmod(0o555)
    code = "import sys; from murk.envs.web.snapshot import Snapshot as S; print(S.open(sys.argv[1]).search('ferry'))"
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(copy)], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in processes}) == 1
    copy.chmod(0o755)


def test_the_manifest_tells_what_is_there(vale: Snapshot) -> None:
    info = read_manifest(vale.folder)
    assert info["pages"] == info["captures"] == 8
    assert info["hosts"] == 1
    assert info["sources"] == ["pages"]
    assert info["skipped"] == {}
    assert info["passages"] >= 8
    assert str(vale.folder.parent) not in (vale.folder / "manifest.json").read_text()
