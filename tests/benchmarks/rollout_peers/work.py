"""What all contenders share: the episodes, the peers' tools, slots, and how a contender's process is led.

An episode is a line of a task file of murk. Its question lists what to do: a search, a page to open, a search, a page,
a search; then comes the report.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from murk.envs.citations import cite_key
from murk.envs.web.snapshot import Snapshot

THINKING = 0.5
TURNS = 6
WARM_UP = 32
INLINE = 4_096
VERBS = ("search", "open", "search", "open", "search")
REPORT = "All that was found says that the lighthouse was lit in 1890."


class Web:
    """What the peers' tools do: the same work on the same snapshot, the results as JSON, the pages cut as murk does."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def search(self, query: str) -> str:
        hits = self._snapshot.search(query, 10).hits
        rows = [
            {"title": h.title, "url": h.url, "cite": cite_key(h.url), "snippet": h.snippet, "content": h.content}
            for h in hits
        ]
        return json.dumps([{"query": query, "results": rows}], ensure_ascii=False)

    def open(self, url: str) -> str:
        page = self._snapshot.page(url)
        return f"[{page.url}] {page.title}\ncite: {cite_key(page.url)}\n\n{page.text[:INLINE]}"


def read_questions(tasks: str, count: int) -> list[str]:
    """The first questions of a task file."""
    return [json.loads(line)["question"] for line in Path(tasks).read_text("utf-8").splitlines()[:count]]


def tagged_turns(question: str) -> list[str]:
    """The turns of an episode as the peers take them."""
    calls = [f"<{verb}>{text}</{verb}>" for verb, text in zip(VERBS, json.loads(question), strict=True)]
    return [*calls, f"<report>{REPORT}</report>"]


async def contend(questions: Sequence[str], slots: int, episode: Callable[[int, str], Awaitable[None]]) -> None:
    """Runs a few episodes to warm up, and the others when it is told to; tells how long they took.

    Args:
        questions: Of the episodes; the last ones, as many as there are slots, only keep all slots busy to the end.
        slots: Episodes at a time.
        episode: Runs one, given the number of its slot and its question.
    """
    await _in_slots(questions[:WARM_UP], slots, episode, WARM_UP)
    tell_and_wait({})
    began, count = perf_counter(), len(questions) - WARM_UP - slots
    await _in_slots(questions[WARM_UP:], slots, episode, count)
    tell_and_wait({"seconds": perf_counter() - began})


async def _in_slots(
    questions: Sequence[str], slots: int, episode: Callable[[int, str], Awaitable[None]], enough: int
) -> None:
    """Runs episodes until enough have ended."""
    left, ended = iter(questions), 0

    async def slot(number: int) -> None:
        nonlocal ended
        for question in left:
            await episode(number, question)
            ended += 1
            if ended == enough:
                for task in tasks:
                    task.cancel()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(slot(number)) for number in range(slots)]


def tell_and_wait(told: Mapping[str, Any]) -> None:
    """Writes a line for whoever leads this process, and waits until a line says to go on."""
    print(json.dumps(told), flush=True)
    sys.stdin.readline()
