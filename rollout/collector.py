"""The collector: trajectories for a trainer, as an iterator of batches, with the weights that sampled them.

Synchronous (`staleness=0`): a batch is begun when the weights that it is for are there. Asynchronous: up to `staleness`
further batches are under way while the trainer learns. Batches come in a fixed order in both: none can be staler
than that, and what is trained on does not depend on which episodes end first.
"""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any

from murk.envs.errors import UsageError
from murk.envs.records import Trajectory
from murk.envs.seeds import derive
from murk.rollout.backlog import Backlog
from murk.rollout.build import Episode, Plan, compose, crew, plan
from murk.rollout.drive import entry_of_lost, groups, open_pool
from murk.rollout.episode import episode_id
from murk.rollout.outcome import Outcome
from murk.rollout.rows import from_row
from murk.rollout.store import Store


@dataclass(frozen=True, slots=True)
class Collected:
    """An episode for a trainer.

    Attributes:
        trajectory: With what the model sampled. One that is `errored` is not to be trained on.
        reward: None where there is no score.
        score: JSON values of the score; None where there is none.
        weights_version: Of the oldest weights that sampled a turn of it; 0 for those that the policy began with.
    """

    trajectory: Trajectory
    reward: float | None
    score: dict[str, Any] | None
    weights_version: int


@dataclass(slots=True)
class _Group:
    episodes: Sequence[Episode]
    version: int
    found: dict[str, Collected] = field(default_factory=dict)


class Collector:
    """An iterator of batches; each is a list of groups, and each group the samples of one task.

    Episodes come from the plan's tasks, each time round in another order that the seed decides, and with samples of
    their own. `update` ends a batch: call it after each, also where the weights stay.

    Args:
        source: A plan, or settings as `murk rollout` takes them.
        batch: Groups in a batch, from 1.
        staleness: By how many updates the weights of a batch may be behind, from 0.
        rounds: Times round the tasks; None for without end. A last batch that is not full is left out.
        folder: Where trajectories are kept as well, as in a run's; None for nowhere.

    Raises:
        UsageError: a setting is wrong.
    """

    def __init__(
        self,
        source: Plan | Sequence[str],
        *,
        batch: int = 8,
        staleness: int = 0,
        rounds: int | None = None,
        folder: Path | None = None,
    ) -> None:
        for name, value, least in (("batch", batch, 1), ("staleness", staleness, 0), ("rounds", rounds or 1, 1)):
            if not isinstance(value, int) or value < least:
                raise UsageError(f"{name} of a collector is {value!r}; allowed are whole numbers from {least}.")
        self._plan = source if isinstance(source, Plan) else plan(compose(list(source)))
        self._how = crew(self._plan.config["rollout"])
        self._batch, self._ahead = batch, staleness
        self._coming: Iterator[list[Episode]] = self._groups(rounds)
        self._flying: deque[_Group] = deque()
        self._by_id: dict[str, _Group] = {}
        self._store = Store(folder, "collector") if folder else None
        self.version = self._begun = 0
        self._backlog = Backlog(self._how.retries)
        self._pool = open_pool(self._plan, None, self._how, self._backlog)
        self._orders: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._ended: SimpleQueue[Outcome | BaseException] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="murk-collector", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[list[list[Collected]]]:
        return self

    def __next__(self) -> list[list[Collected]]:
        """The next batch; waits until it is whole.

        Raises:
            StopIteration: all rounds are over.
            UsageError: `update` has not ended the last batch.
            OSError, RuntimeError: the machinery cannot go on.
        """
        self._begin()
        if len(self._flying) < self._batch:
            self._check_over()
            raise StopIteration
        first = [self._flying[i] for i in range(self._batch)]
        while any(len(group.found) < len(group.episodes) for group in first):
            ended = self._ended.get()
            if isinstance(ended, BaseException):
                self._ended.put(ended)  # for whoever asks again
                raise ended
            self._take(ended)
        for group in first:
            self._flying.popleft()
            for episode in group.episodes:
                del self._by_id[episode.id]
        return [[group.found[episode.id] for episode in group.episodes] for group in first]

    def update(self, weights: Any = None) -> int:
        """Ends a batch: gives new weights to the policies that take them, None to keep those they have.

        Returns:
            The version of the weights from now on.
        """
        self.version += 1
        if weights is not None:
            self._orders.put(("update", (weights, self.version)))
        self._begin()
        return self.version

    def close(self) -> None:
        """Gives up what is under way, and frees everything."""
        self._orders.put(("close", None))
        self._thread.join()
        if self._store:
            self._store.close()

    def __enter__(self) -> "Collector":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _groups(self, rounds: int | None) -> Iterator[list[Episode]]:
        """The plan's groups, round after round."""
        own, seed = groups(self._plan.episodes, self._how), self._plan.seed
        turn = 0
        while rounds is None or turn < rounds:
            for group, _ in sorted(own, key=lambda one: derive(seed, "round", turn, one[0][0].id)):
                yield [self._again(episode, turn * len(group)) for episode in group]
            turn += 1

    def _again(self, old: Episode, more: int) -> Episode:
        sample, storm = old.sample + more, self._plan.faults["name"]
        name = episode_id(self._plan.seed, old.policy, storm, old.intensity, old.task, sample)
        return Episode(name, old.policy, old.task, sample, old.intensity)

    def _begin(self) -> None:
        """Begins as many groups as the staleness allows."""
        while self._begun < (self.version + 1 + self._ahead) * self._batch:
            episodes = next(self._coming, None)
            if episodes is None:
                return
            group = _Group(episodes, self.version)
            self._flying.append(group)
            self._by_id |= {episode.id: group for episode in episodes}
            self._begun += 1
            self._orders.put(("run", episodes))

    def _check_over(self) -> None:
        if (episodes := next(self._coming, None)) is not None:
            self._coming = chain([episodes], self._coming)
            raise UsageError("a further batch is asked for, but the last one is not ended; call update() after each.")

    def _take(self, outcome: Outcome) -> None:
        entry = outcome.entry or entry_of_lost(self._plan, outcome)
        if self._store:
            self._store.keep(entry)
        trajectory, group = from_row(entry["row"]), self._by_id[outcome.episode.id]
        # A group is begun after its weights have come; a policy that counts no versions says 0 for all of them.
        version = max(group.version, min((turn.version for turn in trajectory.sampled), default=0))
        group.found[outcome.episode.id] = Collected(trajectory, outcome.reward, entry["score"], version)

    def _serve(self) -> None:
        """Turns the pool, in a thread of its own, so that episodes go on while the trainer learns."""
        try:
            while self._obey():
                for outcome in self._pool.advance(0.2):
                    self._ended.put(outcome)
        except BaseException as error:
            self._ended.put(error)
        finally:
            self._pool.close()

    def _obey(self) -> bool:
        """Does what was ordered meanwhile, waiting for an order where nothing is under way; False at the end."""
        idle = not (len(self._backlog) or self._pool.load().running)
        while idle or not self._orders.empty():
            order, value = self._orders.get()
            if order == "close":
                return False
            if order == "update":
                self._pool.update(*value)
            else:
                self._backlog.add(value)
                idle = False
        return True
