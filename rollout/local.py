"""Runs a plan in this process, one episode after another."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from murk.envs.actions import system_prompt
from murk.envs.deep_research import DeepResearchEnv
from murk.envs.records import Trajectory
from murk.rewards.score import Score, scorer
from murk.rollout.build import Episode, Plan, make_policy, make_reward
from murk.rollout.digest import digest
from murk.rollout.episode import describe, run_episode, text_digest
from murk.rollout.pages import pages_of
from murk.rollout.run import missing, task_row
from murk.rollout.store import Store

Progress = Callable[[Trajectory, float | None], None]


class Worker:
    """What runs episodes of a plan: an environment, the policies and the reward, made once.

    Raises:
        UsageError: one of them cannot be made.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._reward = make_reward(plan.reward)
        self._scorer = scorer(plan.reward, self._reward) if self._reward else None
        self._policies = {name: make_policy(name, settings) for name, settings in plan.policies.items()}
        rows = [task_row(task) for task in plan.tasks.values()]
        self._settings = {one: environment(plan, one) for one in {episode.intensity: None for episode in plan.episodes}}
        self._envs = {
            intensity: DeepResearchEnv(str(plan.snapshot), rows, reward=None, **settings)
            for intensity, settings in self._settings.items()
        }
        env = next(iter(self._envs.values()))
        self._system = system_prompt([offer.schema for offer in env.offers.values()], env.dialect)

    async def run(self, episode: Episode, store: Store) -> tuple[Trajectory, float | None]:
        """Runs an episode, scores it and keeps it; returns its trajectory and reward.

        Raises:
            OSError: the disk is full or fails.
        """
        plan = self.plan
        env, policy = self._envs[episode.intensity], self._policies[episode.policy]
        about: dict[str, Any] = {"seed": plan.seed, "storm": plan.faults["name"], "intensity": episode.intensity}
        about |= {"task": episode.task, "sample": episode.sample, "name": episode.policy}
        trajectory = await run_episode(env, policy, **about)
        whole = trajectory.status != "errored"
        texts = {url: page.text for url, page in env.desk.pages.items()} if whole else {}
        score = self._score(trajectory, pages_of(plan.snapshot, trajectory, texts))
        pages = {text_digest(text): text for text in texts.values()}
        store.add(trajectory, digest(trajectory, self._settings[episode.intensity]), self._system, pages, score)
        return trajectory, score["value"] if score else None

    def _score(self, trajectory: Trajectory, texts: Mapping[str, str]) -> dict[str, Any] | None:
        """JSON values of the score. A reward that breaks gives one without a value that says why: it is never 0."""
        if self._reward is None or trajectory.status == "errored":
            return None
        try:
            score = self._reward(trajectory, self.plan.tasks[trajectory.task], texts)
        except Exception as error:
            score = Score(None, notes=(describe(error),))
        return asdict(score) | {"scorer": self._scorer}


def environment(plan: Plan, intensity: float) -> dict[str, Any]:
    """Keywords of the environment at an intensity, besides snapshot and tasks."""
    return dict(plan.environment) | {"faults": dict(plan.faults) | {"intensity": intensity}}


def run_local(worker: Worker, folder: Path, progress: Progress = lambda trajectory, reward: None) -> None:
    """Runs the episodes of a plan that its folder does not hold yet.

    Args:
        worker: With the plan.
        folder: Of the run.
        progress: Called after each episode with its trajectory and reward.

    Raises:
        OSError: the disk is full or fails.
        KeyboardInterrupt: the user stopped the run; what was finished is kept.
    """
    asyncio.run(_run(worker, folder, progress))


async def _run(worker: Worker, folder: Path, progress: Progress) -> None:
    store, left = Store(folder), set(missing(worker.plan, folder))
    try:
        for episode in worker.plan.episodes:
            if episode.id in left:
                progress(*await worker.run(episode, store))
                await asyncio.sleep(0)  # policies without a model never wait, and a request to stop must get through
    finally:
        store.close()
