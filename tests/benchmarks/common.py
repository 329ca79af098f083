"""What the benchmarks share: the data, the snapshot and the peers' indexes, queries, timing and tables."""

import gc
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from inspect import getsource
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murk.envs.web import build, columns, extract, index, text, urls, vectors
from murk.envs.web.importers import jsonl
from murk.envs.web.query import parse_query
from murk.envs.web.snapshot import Snapshot

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("MURK_DATA") or ROOT.parent / "shared" / "data").resolve()
WORK = ROOT / "runs" / "bench"
WIKISPEEDIA = DATA / "wikispeedia" / "pages.jsonl.gz"
WRITER_BYTES = 1_500_000_000

_BLOCK = 50
_NUMBER = re.compile(r"[-+]?[\d.]")


@dataclass(frozen=True, slots=True)
class Task:
    """A question or claim, and the URLs of the articles that decide it."""

    query: str
    gold: tuple[str, ...]


def snapshot_folder() -> Path:
    """The Wikispeedia snapshot, built if it is missing or murk's way of building has changed."""
    return once("wikispeedia", _building_key(), lambda folder: build.build([WIKISPEEDIA], folder))


def dense_folder() -> Path:
    """The same with vectors for dense reranking, by the static table that is distilled from MiniLM."""

    def make(folder: Path) -> None:
        from murk.envs.web.embedders import embedder

        build.build([WIKISPEEDIA], folder, build.Options(embedder=embedder("static")))

    return once("wikispeedia-static", _building_key(vectors), make)


def tantivy_folder(snapshot: Snapshot) -> Path:
    """tantivy's index of the same passages: one writer thread, English stems."""

    def make(folder: Path) -> None:
        import tantivy

        schema = tantivy.SchemaBuilder()
        schema.add_text_field("body", stored=False, tokenizer_name="en_stem", index_option="freq")
        schema.add_integer_field("id", fast=True)
        folder.mkdir()
        writer = tantivy.Index(schema.build(), path=str(folder)).writer(WRITER_BYTES, num_threads=1)
        for number, passage in enumerate(titled_passages(snapshot)):
            writer.add_document(tantivy.Document(body=passage, id=number))
        writer.commit()
        writer.wait_merging_threads()

    return once("tantivy", f"{_passages_key(snapshot)} {version('tantivy')}", make)


def bm25s_folder(snapshot: Snapshot) -> Path:
    """bm25s's index of the same passages: its own defaults, English stems and stop words."""

    def make(folder: Path) -> None:
        import bm25s
        import Stemmer

        stemmer = Stemmer.Stemmer("english")
        tokens = bm25s.tokenize(list(titled_passages(snapshot)), stopwords="en", stemmer=stemmer, show_progress=False)
        retriever = bm25s.BM25(backend="numba")
        retriever.index(tokens, show_progress=False)
        retriever.save(folder, show_progress=False)

    return once("bm25s", f"{_passages_key(snapshot)} {version('bm25s')}", make)


def once(name: str, key: str, make: Callable[[Path], object]) -> Path:
    """The folder `name`, made anew where `key`, what it was made from, is another."""
    folder, stamp = WORK / name, WORK / f"{name}.key"
    if not folder.exists() or not stamp.exists() or stamp.read_text() != key:
        print(f"making {folder.relative_to(ROOT)} ...", file=sys.stderr, flush=True)
        WORK.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        make(folder)
        stamp.write_text(key)
    return folder


def titled_passages(snapshot: Snapshot) -> Iterator[str]:
    """The passages that murk searches, in their order, each with the title of its page in front."""
    titles = newest_titles(snapshot)
    for page, (begin, end) in enumerate(pairwise(snapshot.index.page_starts.tolist())):
        for passage in snapshot.passages(np.arange(begin, end)):
            yield f"{titles[page]}\n{passage}"


def newest_titles(snapshot: Snapshot) -> list[str]:
    """Title of each page, in the order of the pages."""
    return list({document.url: document.title for document in snapshot.documents()}.values())


def creak() -> list[Task]:
    """Claims, each with the article that it is about."""
    return [Task(row["claim"], (row["url"],)) for row in _rows("creak_in_wikispeedia.jsonl")]


def strategyqa() -> list[Task]:
    """Questions with the articles that answer them, as far as they are in the snapshot."""
    return [Task(row["question"], tuple(row["gold_urls"])) for row in _rows("strategyqa_in_wikispeedia.jsonl")]


def typed_queries() -> list[str]:
    """All claims and questions, as people wrote them."""
    return [task.query for task in creak() + strategyqa()]


def short_queries(count: int = 494) -> list[str]:
    """Queries of 3 to 8 words that follow one another in claims and questions, words of up to 3 letters left out."""
    found = []
    for i, query in enumerate(typed_queries()):
        words = [word for word in plain(query).split() if len(word) > 3]
        size = 3 + i % 6
        if len(words) >= size:
            begin = i % (len(words) - size + 1)
            found.append(" ".join(words[begin : begin + size]))
    return [found[i * len(found) // count] for i in range(min(count, len(found)))]


def plain(query: str) -> str:
    """Lower-case words only, so that no query language sees operators."""
    return " ".join(re.findall(r"\w+", query.lower()))


def without_common(snapshot: Snapshot, query: str) -> str:
    """The query's words less those that murk leaves out as too common."""
    counted = set(snapshot.index.rank(parse_query(plain(query)), 1).words)
    return " ".join(word for word in plain(query).split() if counted.intersection(text.words(word)))


def interleaved(
    calls: Mapping[str, Callable[[int], object]], count: int, rounds: int = 5, before: Callable[[], object] = gc.collect
) -> dict[str, NDArray[np.float64]]:
    """Microseconds of `call(i)` for i in 0 to count - 1: of each i the median of all rounds (`in_rounds`)."""
    return {name: np.median(rows, axis=0) for name, rows in in_rounds(calls, count, rounds, before).items()}


def in_rounds(
    calls: Mapping[str, Callable[[int], object]], count: int, rounds: int = 5, before: Callable[[], object] = gc.collect
) -> dict[str, NDArray[np.float64]]:
    """Microseconds of `call(i)`, shape (rounds, count), for i in 0 to count - 1.

    In a round all take turns, block by block, so that noise from outside hits all alike. A first round is not counted;
    `before` runs in front of each.
    """
    times = {name: np.zeros((rounds + 1, count)) for name in calls}
    gc.collect()
    gc.freeze()
    for turn in range(rounds + 1):
        before()
        for first in range(0, count, _BLOCK):
            for name, call in calls.items():
                for i in range(first, min(first + _BLOCK, count)):
                    began = time.perf_counter_ns()
                    call(i)
                    times[name][turn, i] = time.perf_counter_ns() - began
    gc.unfreeze()
    return {name: rows[1:] / 1000 for name, rows in times.items()}


def p50_p99(times: NDArray[np.float64], digits: int = 0) -> list[str]:
    """Median and 99th percentile."""
    return [f"{value:,.{digits}f}" for value in np.percentile(times, [50, 99])]


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a title line and aligned columns, numbers to the right."""
    cells = [list(head), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    numeric = [all(_NUMBER.match(row[i]) for row in cells[1:] if row[i]) for i in range(len(head))]
    print(f"\n## {title}\n")
    for i, row in enumerate(cells):
        rest = zip(row, widths, numeric, strict=True)
        print("  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in rest).rstrip())
        if not i:
            print("  ".join("-" * width for width in widths))
    sys.stdout.flush()


def versions(*packages: str) -> str:
    """Python and packages with their versions, on one line."""
    python = ".".join(map(str, sys.version_info[:3]))
    return ", ".join([f"Python {python}", *[f"{name} {version(name)}" for name in packages]])


def _building_key(*more: ModuleType) -> str:
    """A digest of the code that decides what is in a snapshot."""
    modules = (build, columns, extract, index, jsonl, text, urls, *more)
    return sha256("".join(map(getsource, modules)).encode()).hexdigest()


def _passages_key(snapshot: Snapshot) -> str:
    files = snapshot.info["files"]
    return " ".join(str(files[name]["sha256"]) for name in ("text.bin", "title.bin", "spans.npy"))


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / "tasks" / name).read_text("utf-8").splitlines()]
