"""Build rate in pages/s, beside the HTML parser's own limit: the parser alone over the same bytes, in one process.

Each measurement runs in a process of its own, so that its peak memory is its own. Builds go through a folder under
runs/bench that is removed afterwards.
"""

import argparse
import gzip
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from common import DATA, ROOT, WIKISPEEDIA, WORK, table, versions

HTML = Path("/usr/share/doc/python3/html")
REPEATS = 3
FACTBOOK = DATA / "factbook" / "pages.jsonl.gz"

_Found = dict[str, float]


def main() -> None:
    """Prints all tables, or runs one measurement and prints it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--html", type=Path, default=HTML, help="folder of HTML pages; the Factbook if there is none")
    parser.add_argument("--measure", nargs=3, metavar=("WHAT", "SOURCE", "WORKERS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        what, source, workers = arguments.measure
        measure = {"build": _build, "convert": _convert, "extract": _extract}[what]
        print(json.dumps(measure(Path(source), int(workers))))
        return
    print("# Building snapshots")
    print(versions("murk-gym", "html-to-markdown", "numpy"))
    html = arguments.html.resolve() if arguments.html.is_dir() else FACTBOOK
    name = "a folder of HTML" if arguments.html.is_dir() else "the Factbook's HTML in JSONL"
    text = _measure([("build", WIKISPEEDIA, 1), ("build", WIKISPEEDIA, 2)], repeats=1)
    jobs = [("convert", html, 1), ("extract", html, 1), ("build", html, 1), ("build", html, 2)]
    convert, extract, *builds = _measure(jobs, repeats=REPEATS)
    rows = [["Wikispeedia, text in JSONL", n, *_row(found)] for n, found in enumerate(text, 1)]
    rows += [[name, n, *_row(found)] for n, found in enumerate(builds, 1)]
    head = ["source", "workers", "pages", "MB of text", "pages/s", "of it: reading s", "indexing s", "sealing s"]
    table("Builds", [*head, "peak MB: main", "a worker"], rows)
    _limits(name, convert, extract, builds)


def _limits(name: str, convert: _Found, extract: _Found, builds: list[_Found]) -> None:
    """Prints the rates beside the parser's."""
    seconds = {
        "html-to-markdown alone, its defaults": convert["seconds"],
        "murk's extract: decoding, parser, cleaning, links": extract["seconds"],
    }
    for workers, build in enumerate(builds, 1):
        seconds[f"build, {workers} worker(s), reading stage"] = build["reading"]
        seconds[f"build, {workers} worker(s), all"] = build["seconds"]
    rows = [
        [kind, f"{convert['pages'] / taken:,.0f}", f"{100 * convert['seconds'] / taken:.0f} %"]
        for kind, taken in seconds.items()
    ]
    title = f"The parser's limit: {name}, {convert['pages']:,.0f} pages, {convert['bytes'] / 1e6:.1f} MB"
    table(title, ["", "pages/s", "of the parser alone"], rows)


def _measure(jobs: Sequence[tuple[str, Path, int]], repeats: int) -> list[_Found]:
    """Runs all jobs in turn, several times; of each the run of median duration."""
    runs = [[_run(*job) for job in jobs] for _ in range(repeats)]
    return [sorted(found, key=lambda f: f["seconds"])[repeats // 2] for found in zip(*runs, strict=True)]


def _run(what: str, source: Path, workers: int) -> _Found:
    command = [sys.executable, __file__, "--measure", what, str(source), str(workers)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=ROOT)
    result: _Found = json.loads(done.stdout)
    return result


def _row(found: _Found) -> list[str]:
    seconds = [f"{found[name]:.1f}" for name in ("reading", "indexing", "sealing")]
    rate = f"{found['pages'] / found['seconds']:,.0f}"
    memory = [f"{found[name]:,.0f}" for name in ("main_mb", "worker_mb")]
    return [f"{found['pages']:,.0f}", f"{found['text_mb']:,.1f}", rate, *seconds, *memory]


def _build(source: Path, workers: int) -> _Found:
    from murk.envs.web.build import Options, build

    out = WORK / "build-speed"
    shutil.rmtree(out, ignore_errors=True)
    began = time.perf_counter()
    last = {"reading": began, "indexing": began}
    options = Options(workers=workers, progress=lambda stage, *_: last.update({stage: time.perf_counter()}))
    report = build([source], out, options)
    text = (out / "text.bin").stat().st_size
    shutil.rmtree(out)
    peaks = [resource.getrusage(who).ru_maxrss / 1e3 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "pages": report.captures,
        "text_mb": text / 1e6,
        "seconds": report.seconds,
        "reading": last["reading"] - began,
        "indexing": last["indexing"] - last["reading"],
        "sealing": began + report.seconds - last["indexing"],
        "main_mb": peaks[0],
        "worker_mb": peaks[1],
    }


def _convert(source: Path, _workers: int) -> _Found:
    """The parser alone, on texts that are in memory."""
    from html_to_markdown import convert

    pages = [page if isinstance(page, str) else page.decode("utf-8", "replace") for _, page in _pages(source)]
    began = time.perf_counter()
    for page in pages:
        convert(page)
    seconds = time.perf_counter() - began
    return {"pages": len(pages), "seconds": seconds, "bytes": sum(len(page.encode()) for page in pages)}


def _extract(source: Path, _workers: int) -> _Found:
    """What a worker does to a page, without the pipes."""
    from murk.envs.web.extract import extract
    from murk.envs.web.importers import Raw

    raws = [Raw(url, page, "text/html") for url, page in _pages(source)]
    began = time.perf_counter()
    for raw in raws:
        extract(raw)
    return {"pages": len(raws), "seconds": time.perf_counter() - began}


def _pages(source: Path) -> list[tuple[str, str | bytes]]:
    """Addresses and bodies: bytes of a folder's files, texts of JSONL."""
    if source.is_dir():
        files = sorted(path for path in source.rglob("*.html") if path.is_file() and not path.is_symlink())
        return [(f"https://docs.example/{path.relative_to(source).as_posix()}", path.read_bytes()) for path in files]
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        return [(row["url"], row["html"]) for row in map(json.loads, lines)]


if __name__ == "__main__":
    main()
