"""The engine: runs episodes of a plan, many of them side by side in one event loop.

Policies are asynchronous, and environments with a tool that may wait step in threads: a slow model idles no
environment, and a slow tool no model. Others step in the loop itself, which is twice as fast as passing each step to a
thread and back. Each episode has its environment to itself while it runs; all share the snapshot, the policies and the
reward.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from murk.envs.actions import system_prompt
from murk.envs.deep_research import DeepResearchEnv
from murk.envs.records import Trajectory
from murk.rewards.score import Score, scorer, summed
from murk.rollout.backlog import Flight
from murk.rollout.build import Plan, make_policy, make_reward
from murk.rollout.digest import digest
from murk.rollout.episode import SPENT, Played, describe, play_episode, text_digest
from murk.rollout.keeper import Keep, Keeper
from murk.rollout.outcome import Outcome
from murk.rollout.pages import pages_of
from murk.rollout.store import entry_of
from murk.rollout.threads import Threads

THREADS = 64
SCORERS = 64
ENDING = 4  # episodes that are scored and kept at a time: entries are large, and many episodes may end at once


class Engine:
    """What runs episodes of a plan in one process.

    Args:
        plan: Its settings count; its episodes only tell which intensities there will be.
        keep: Keeps entries of the journal; None to leave that to whoever gets the outcome.
        patience: Wall-clock seconds that one step of an environment may take before the episode is an error.
        name: Of the worker.

    Raises:
        UsageError: the environment, a policy or the reward cannot be made.
    """

    def __init__(self, plan: Plan, keep: Keep | None = None, patience: float = 300.0, name: str = "") -> None:
        self.plan, self.name = plan, name
        self._keeper = Keeper(keep) if keep else None
        self._reward = make_reward(plan.reward)
        self._scorer = scorer(plan.reward, self._reward) if self._reward else None
        self._policies = {name: make_policy(name, settings) for name, settings in plan.policies.items()}
        self._steps, self._scores = Threads(THREADS, patience), Threads(SCORERS)
        self._quick = self._reward is None or getattr(self._reward, "instant", False)
        self._ending = asyncio.Semaphore(ENDING if self._quick else SCORERS)
        self._opened: dict[str, Any] = {"snapshot": str(plan.snapshot)}
        intensities = list(dict.fromkeys(episode.intensity for episode in plan.episodes)) or [0.0]
        env = self._environment(intensities[0])
        if env.sandbox:
            env.sandbox.check_hidden([Path(plan.config["tasks"]["path"]), Path(plan.config["out"])])
        self._opened = {"snapshot": env.web, "authority": True, "rerank": None}  # opened once, with its own settings
        others = {intensity: [self._environment(intensity)] for intensity in intensities[1:]}
        self._free: dict[float, list[DeepResearchEnv]] = {intensities[0]: [env]} | others
        self._system = system_prompt([offer.schema for offer in env.offers.values()], env.dialect)

    async def run(self, flight: Flight) -> Outcome:
        """Runs an episode, scores it and keeps it.

        Where it broke off with an error, nothing is kept: its entry is in the outcome, for it may be run again.

        Raises:
            OSError: the disk is full or fails.
        """
        episode, plan = flight.episode, self.plan
        free = self._free.setdefault(episode.intensity, [])
        env = free.pop() if free else await self._steps.run(self._environment, episode.intensity)
        about: dict[str, Any] = {"seed": plan.seed, "storm": plan.faults["name"], "intensity": episode.intensity}
        about |= {"task": episode.task, "sample": episode.sample, "name": episode.policy}
        call, policy = _between if env.instant else self._steps.run, self._policies[episode.policy]
        if hasattr(policy, "load"):  # a model, which must not keep the event loop waiting
            await self._scores.run(_load, policy)
        played = await play_episode(env, policy, call, **about)
        keeper = self._keeper if played.error is None else None
        async with self._ending:
            make = _between if self._quick else self._scores.run
            trajectory, entry = await make(self._record, played)
            if keeper and trajectory.status != "errored":
                await keeper.keep(entry)
        kept = keeper is not None and trajectory.status != "errored"
        if played.error is None:
            free.append(env)  # one that broke may be in any state, and is never used again
        return Outcome(
            episode,
            trajectory.status,
            (entry["score"] or {}).get("value"),
            trajectory.error,
            len(trajectory.steps),
            spending(trajectory) | retrieved(env),
            self.name,
            flight.attempts,
            None if kept else entry,
        )

    def update(self, weights: Any, version: int) -> None:
        """Gives new weights to the policies that take them."""
        for policy in self._policies.values():
            if hasattr(policy, "load_weights"):
                policy.load_weights(weights, version)

    def close(self) -> None:
        """Ends the threads."""
        for one in (self._steps, self._scores, self._keeper):
            if one:
                one.close()

    def _environment(self, intensity: float) -> DeepResearchEnv:
        settings = environment(self.plan, intensity) | {"tasks": self.plan.tasks, "reward": None}
        return DeepResearchEnv(**settings | self._opened)

    def _record(self, played: Played) -> tuple[Trajectory, dict[str, Any]]:
        """The record of an episode, and what the store keeps of it; one that is errored has no score.

        A record that cannot be made is an error of its episode, and does not end the run.
        """
        try:
            return self._made(played, played.trajectory())
        except Exception as exception:
            broken = Played(played.env, played.task, played.about, error=describe(exception))
            return self._made(broken, broken.trajectory())

    def _made(self, played: Played, trajectory: Trajectory) -> tuple[Trajectory, dict[str, Any]]:
        whole, env = trajectory.status != "errored", cast(DeepResearchEnv, played.env)
        texts = {url: page.text for url, page in env.desk.pages.items()} if whole else {}
        score = self._score(trajectory, texts) if whole else None
        pages = {text_digest(text): text for text in texts.values()}
        made_of = digest(trajectory, environment(self.plan, trajectory.intensity))
        return trajectory, entry_of(trajectory, made_of, self._system, pages, score)

    def _score(self, trajectory: Trajectory, texts: Mapping[str, str]) -> dict[str, Any] | None:
        """JSON values of the score. A reward that breaks gives one without a value that says why: it is never 0."""
        if self._reward is None:
            return None
        try:
            pages = pages_of(self.plan.snapshot, trajectory, texts)
            score = self._reward(trajectory, self.plan.tasks[trajectory.task], pages)
        except Exception as error:
            score = Score(None, notes=(describe(error),))
        return asdict(score) | {"scorer": self._scorer}


def _load(policy: Any) -> None:
    """Loads what a policy needs; if that fails, its episodes will tell."""
    with suppress(Exception):
        policy.load()


async def _between(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in the event loop, after whatever else is ready there."""
    await asyncio.sleep(0)
    return function(*arguments)


def environment(plan: Plan, intensity: float) -> dict[str, Any]:
    """Keywords of the environment at an intensity, besides snapshot and tasks."""
    return dict(plan.environment) | {"faults": dict(plan.faults) | {"intensity": intensity}}


def retrieved(env: DeepResearchEnv) -> dict[str, float]:
    """What the cache of retrievals was asked in an episode, and what it knew."""
    cache = env.retrievals
    return {} if cache is None else {"retrievals_asked": float(cache.asked), "retrievals_hit": float(cache.hit)}


def spending(trajectory: Trajectory) -> dict[str, float]:
    """What an episode spent of its budget, and what its policy spent by itself: names that both use get `policy_`."""
    own = summed([turn.usage for turn in trajectory.sampled])
    return dict(trajectory.spending) | {f"policy_{name}" if name in SPENT else name: n for name, n in own.items()}
