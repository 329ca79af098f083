"""The search engines under one call, and each in a process of its own.

`python tests/benchmarks/engines.py ENGINE first|wait|digest FOLDER QUERIES` answers the first query, answers all and
waits for a line on its input, or tells how it orders ties. Imports are lazy: the time of a new process counts.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from murk.envs.web.snapshot import Snapshot


class Engine(NamedTuple):
    """A search engine.

    Attributes:
        ask: Answers a query with its k best.
        scored: The scores and the numbers of what `ask` returned, best first.
    """

    ask: Callable[[str, int], Any]
    scored: Callable[[Any], list[tuple[float, int]]]


def page_urls(snapshot: "Snapshot") -> list[str]:
    """Addresses of all pages, by number."""
    return list(dict.fromkeys(document.url for document in snapshot.documents()))


def open_murk(folder: str) -> Engine:
    """murk as an agent meets it: pages with titles and snippets."""
    from murk.envs.web.snapshot import Snapshot

    snapshot = Snapshot.open(folder)
    numbers: dict[str, int] = {}

    def scored(hits: Any) -> list[tuple[float, int]]:
        if not numbers:
            numbers.update((url, number) for number, url in enumerate(page_urls(snapshot)))
        return [(hit.score, numbers[hit.url]) for hit in hits.hits]

    return Engine(snapshot.search, scored)


def open_murk_ids(folder: str) -> Engine:
    """murk's ranking alone: the numbers of the pages and of their best passages."""
    from murk.envs.web.query import parse_query
    from murk.envs.web.snapshot import Snapshot

    index = Snapshot.open(folder).index
    return Engine(
        lambda query, k: index.rank(parse_query(query), k),
        lambda ranked: list(zip(ranked.scores.tolist(), ranked.pages.tolist(), strict=True)),
    )


def open_tantivy(folder: str, count: bool = False) -> Engine:
    """tantivy; unless asked to it does not count all matches, so that it can prune."""
    import tantivy

    index = tantivy.Index.open(folder)
    searcher = index.searcher()

    def scored(hits: list[tuple[float, Any]]) -> list[tuple[float, int]]:
        numbers = searcher.fast_field_values("id", [address for _, address in hits])
        return [(score, int(number)) for (score, _), number in zip(hits, numbers, strict=True)]

    return Engine(lambda query, k: searcher.search(index.parse_query(query, ["body"]), k, count=count).hits, scored)


def open_bm25s(folder: str) -> Engine:
    """bm25s with numba, its index memory-mapped; English stems and stop words."""
    import bm25s
    import Stemmer

    retriever = bm25s.BM25.load(folder, mmap=True, show_progress=False)
    stemmer = Stemmer.Stemmer("english")

    def ask(query: str, k: int) -> Any:
        tokens = bm25s.tokenize([query], stopwords="en", stemmer=stemmer, show_progress=False, return_ids=False)
        return retriever.retrieve(tokens, k=k, show_progress=False)

    return Engine(ask, lambda r: list(zip(r.scores[0].tolist(), r.documents[0].tolist(), strict=True)))


def open_numpy(folder: str) -> Engine:
    """No engine: an interpreter that has imported numpy, for comparison."""
    import numpy  # noqa: F401

    return Engine(lambda query, k: [(0.0, 0)], lambda hits: hits)


ENGINES: dict[str, Callable[[str], Engine]] = {
    "murk": open_murk,
    "murk ids": open_murk_ids,
    "tantivy": open_tantivy,
    "bm25s": open_bm25s,
    "numpy": open_numpy,
}


def digest(engine: Engine, queries: list[str]) -> list[str | int]:
    """A digest of all results, how many queries have equal scores out of the order of their numbers, and for how many
    the first 10 of 10 are not the first 10 of 50."""
    from hashlib import sha256
    from itertools import pairwise

    results = [engine.scored(engine.ask(query, 50)) for query in queries]
    loose = sum(any(a[0] == b[0] and a[1] > b[1] for a, b in pairwise(hits)) for hits in results)
    other = sum(engine.scored(engine.ask(query, 10)) != hits[:10] for query, hits in zip(queries, results, strict=True))
    return [sha256(repr(results).encode()).hexdigest(), loose, other]


def main() -> None:
    """Runs one engine."""
    name, mode, folder, path = sys.argv[1:]
    engine = ENGINES[name](folder)
    with open(path, encoding="utf-8") as file:
        queries = file.read().splitlines()
    if mode == "first":
        print(*repr(engine.ask(queries[0], 10)).split(), flush=True)
    elif mode == "wait":
        for query in queries:
            engine.ask(query, 10)
        print("ready", flush=True)
        sys.stdin.readline()
    else:
        print(*digest(engine, queries))


if __name__ == "__main__":
    main()
