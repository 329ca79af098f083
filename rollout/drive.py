"""Drives a run to its end: what its folder does not hold yet goes to a pool, and what ends is kept."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from murk.envs.errors import RunStopped
from murk.envs.records import Trajectory
from murk.rollout.backlog import Backlog
from murk.rollout.build import Crew, Episode, Plan, crew, job
from murk.rollout.digest import digest
from murk.rollout.engine import Engine, environment
from murk.rollout.outcome import Load, Outcome
from murk.rollout.progress import Progress
from murk.rollout.run import locked, mark, missing, summarise
from murk.rollout.store import Store, entry_of


class Pool(Protocol):
    """Runs what a backlog holds."""

    def advance(self, seconds: float = 1.0) -> list[Outcome]:
        """Waits until something happens, at most so many seconds; gives the episodes that have ended for good."""
        ...

    def load(self) -> Load:
        """How busy it is."""
        ...

    def update(self, weights: Any, version: int) -> None:
        """Gives new weights to the policies that take them."""
        ...

    def close(self) -> None:
        """Gives up what is running, and frees everything."""
        ...


def drive(plan: Plan, folder: Path) -> dict[str, Any]:
    """Runs the episodes of a plan that its folder does not hold yet, and sums the run up.

    Args:
        folder: Of the run, which `murk.rollout.run.begin` has made.

    Returns:
        What `summary.json` holds.

    Raises:
        UsageError: another process is at work on the run, or a setting is wrong.
        RunStopped: workers cannot begin, or what they kept is not here.
        OSError: the disk is full or fails; what was finished is kept.
        KeyboardInterrupt: the user stopped the run; what was finished is kept.
    """
    how = crew(plan.config["rollout"])
    with locked(folder):
        Store(folder).mend()
        left = set(missing(plan, folder))
        if left:
            backlog = Backlog(how.retries)
            for group, priority in groups((one for one in plan.episodes if one.id in left), how):
                backlog.add(group, priority)
            _run(plan, folder, how, backlog, len(plan.episodes) - len(left))
            here = Store(folder).index()
            if absent := sum(one.id not in here for one in plan.episodes):
                raise RunStopped(f"{absent} episodes have ended, and are not in {folder}: workers kept them elsewhere")
        Store(folder).compact()
        return summarise(folder)


def groups(episodes: Iterable[Episode], how: Crew) -> list[tuple[list[Episode], int]]:
    """The samples of each task, policy and intensity, which stay together, with their priority."""
    found: dict[tuple[str, float, str], list[Episode]] = {}
    for episode in episodes:
        found.setdefault((episode.task, episode.intensity, episode.policy), []).append(episode)
    return [(group, how.priorities.get(policy, 0)) for (_, _, policy), group in found.items()]


def _run(plan: Plan, folder: Path, how: Crew, backlog: Backlog, done: int) -> None:
    total, store = len(plan.episodes), Store(folder, "driver")
    pool = open_pool(plan, folder, how, backlog)
    try:
        with Progress(total, done, folder=folder, tensorboard=how.tensorboard) as progress:
            while done < total:
                for outcome in pool.advance():
                    if outcome.entry is not None or outcome.status == "errored":
                        store.keep(outcome.entry or entry_of_lost(plan, outcome))
                    progress.finished(outcome)
                    done += 1
                progress.load(pool.load())
    finally:
        pool.close()
        store.close()


def open_pool(plan: Plan, folder: Path | None, how: Crew, backlog: Backlog) -> Pool:
    """The pool that a run asks for.

    Args:
        folder: Of the run; None where nothing is to be kept.

    Raises:
        UsageError: a setting is wrong, or there is no cluster.
    """
    if how.kind == "local":
        from murk.rollout.local import LocalPool

        keep = Store(folder).keep if folder else None
        return LocalPool(Engine(plan, keep, how.patience), backlog, how.concurrency)
    from murk.rollout.collect import RayPool

    return RayPool(how, job(plan, folder, mark(folder) if folder else ""), backlog)


def entry_of_lost(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """What the store keeps of an episode that has taken its workers with it."""
    episode = outcome.episode
    trajectory = Trajectory(
        episode.task,
        "errored",
        id=episode.id,
        policy=episode.policy,
        sample=episode.sample,
        seed=plan.seed,
        storm=plan.faults["name"],
        intensity=episode.intensity,
        error=outcome.error,
    )
    return entry_of(trajectory, digest(trajectory, environment(plan, episode.intensity)), "", {}, None)
