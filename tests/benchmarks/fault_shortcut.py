"""Could a policy tell lies from truth by their look? Linear classifiers try, and should fail.

Bags of words and character 3- to 5-grams (title and first 4,096 characters, what an agent reads of a page) are trained
to tell planted, altered and spam pages from real ones on some tasks and seeds, and tested on other tasks and seeds.
The real ones are of other tasks again and of the kind that the others could be taken for: pages that would be altered,
as they truly are; pages about the subject; results of the queries. Balanced classes: 0.5 is chance.

The world is that of `world=factbook`, the tasks are those of a seed that the generators were not made with.
"""

from collections.abc import Iterator, Sequence

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from murk.envs.faults.content import ContentFault, content_world
from murk.envs.faults.faulty import Ledger
from murk.envs.faults.misinformation import Misinformation, is_about
from murk.envs.faults.rule import Rule
from murk.envs.faults.spam import Spam
from murk.envs.records import Call, Hits, Open, Page, Search, World
from murk.envs.seeds import derive, uniform
from murk.envs.tasks import Task
from murk.envs.web.snapshot import Snapshot
from murk.rollout.build import compose, plan

READ, TASKS = 4_096, 240
FAULTS: dict[str, ContentFault] = {
    "altered": Misinformation(),
    "planted": Misinformation(mode="planted", count=2),
    "spam": Spam(share=0.3),
}


def pages(snapshot: Snapshot, task: Task, name: str, seed: int, honest: bool) -> Iterator[str]:
    """Pages of one kind as an agent reads them when it follows the results of searches on a task.

    Args:
        snapshot: The world.
        task: The task.
        name: Which fault.
        seed: Of the fault.
        honest: Whether real pages of the kind are wanted, or those of the fault.
    """
    ledger = Ledger()
    rules = {"fault": Rule(FAULTS[name])}
    world = content_world(snapshot, snapshot, task, rules, derive(seed, task.id), ledger)
    queries = [f"{claim['subject']} {claim.get('relation', '')}" for claim in task.more["claims"]]
    asked: World = snapshot if honest and name != "altered" else world
    answers = [asked.answer(Search(query, 10), Call()) for query in [task.question, *queries]]
    for url in dict.fromkeys(hit.url for answer in answers if isinstance(answer, Hits) for hit in answer.hits):
        seen = len(ledger.events)
        page = asked.answer(Open(url), Call())
        assert isinstance(page, Page)
        if honest and name == "planted":
            wanted = any(is_about(page, claim["subject"]) for claim in task.more["claims"])
        else:
            wanted = len(ledger.events) > seen or (honest and name == "spam")
        if wanted:
            page = snapshot.page(url) if honest else page
            yield f"{page.title}\n{page.text[:READ]}"


def rows(snapshot: Snapshot, tasks: Sequence[Task], name: str, seed: int) -> tuple[list[str], list[bool]]:
    """Pages of the fault on every other task, and as many real ones on the others."""
    lies, real = (
        sorted(
            (text for task in part for text in pages(snapshot, task, name, seed, honest)),
            key=lambda text: uniform(seed, text),
        )
        for part, honest in ((tasks[::2], False), (tasks[1::2], True))
    )
    size = min(len(lies), len(real))
    return lies[:size] + real[:size], [True] * size + [False] * size


def main() -> None:
    """Prints a table of accuracies."""
    made = plan(compose(["world=factbook", "tasks=facts", "tasks.seed=1", "tasks.count=3000", f"episodes={TASKS}"]))
    snapshot, chosen = Snapshot.open(made.snapshot), list(made.tasks.values())
    half = len(chosen) // 2
    print(f"{'fault':<10}{'words':>8}{'n-grams':>9}{'tested on':>11}")
    for name in FAULTS:
        (texts, labels), (others, truth) = (
            rows(snapshot, part, name, seed) for part, seed in ((chosen[:half], 1), (chosen[half:], 2))
        )
        scores = []
        for settings in ({}, {"analyzer": "char_wb", "ngram_range": (3, 5), "max_features": 100_000}):
            model = make_pipeline(TfidfVectorizer(sublinear_tf=True, **settings), LogisticRegression(max_iter=1000))
            scores.append(model.fit(texts, labels).score(others, truth))
        print(f"{name:<10}{scores[0]:>8.3f}{scores[1]:>9.3f}{len(others):>11}")


if __name__ == "__main__":
    main()
