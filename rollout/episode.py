"""One episode: a policy in an environment, to a trajectory. It knows no Ray, no config and no files."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from typing import Any

import gymnasium

from murk.envs.citations import citations
from murk.envs.codec import canonical_json, encode
from murk.envs.desk import Exchange
from murk.envs.records import Asked, Failure, Response, Sampled, Step, Trajectory
from murk.envs.seeds import derive
from murk.rollout.policies import Policy, Start

SPENT = ("calls", "tokens", "seconds", "money")


def episode_id(seed: int, policy: str, storm: str, intensity: float, task: str, sample: int) -> str:
    """Name of an episode, 16 hex digits; the same in every run with these settings."""
    return f"{derive(seed, policy, storm, float(intensity), task, sample):016x}"


async def here(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function at once."""
    return function(*arguments)


@dataclass(slots=True)
class Played:
    """An episode that has ended; its record is made when it is asked for, for it is large.

    Attributes:
        env: Where it was played, which must not begin another one before.
        steps: The turns, without their observations.
        error: What broke; None if nothing did.
        about: Fields of the trajectory that were known before.
    """

    env: gymnasium.Env[str, str]
    task: str
    about: dict[str, Any]
    steps: list[Step] = field(default_factory=list)
    sampled: list[Sampled] = field(default_factory=list)
    error: str | None = None

    def trajectory(self) -> Trajectory:
        """The record of the episode; where it cannot be made, its status is `errored`."""
        about = self.about | {"sampled": tuple(self.sampled)}
        steps = tuple(self._recalled())
        if self.error is None:
            try:
                return trajectory_of(self.env, self.task, steps, None, about)
            except Exception as exception:
                self.error = describe(exception)
        return trajectory_of(self.env, self.task, steps, self.error, about)

    def _recalled(self) -> Iterator[Step]:
        """The steps with their observations, which the environment keeps in less room while the episode goes on."""
        desk: Any = self.env.unwrapped
        for i, step in enumerate(self.steps):
            yield replace(step, observation=desk.history[2 * i + 2].content)


async def run_episode(
    env: gymnasium.Env[str, str],
    policy: Policy,
    *,
    task: str,
    sample: int = 0,
    seed: int = 0,
    name: str = "",
    storm: str = "none",
    intensity: float = 0.0,
) -> Trajectory:
    """Runs one episode to its end.

    Args:
        env: A `DeepResearchEnv`, possibly in wrappers.
        policy: What takes the turns.
        task: Id of the task.
        sample: Index among the samples of the task.
        seed: Of the run, from 0; the episode's own seeds are derived from it.
        name: Of the policy, for the record.
        storm: Name of the set of faults, for the record.
        intensity: Its intensity, for the record.

    Returns:
        The trajectory. Where murk, the policy's machinery or the machine fails, its status is `errored`, it holds the
        steps until then, and `error` says what happened; nothing is raised for it.
    """
    about: dict[str, Any] = {"task": task, "sample": sample, "seed": seed, "name": name}
    return (await play_episode(env, policy, here, storm=storm, intensity=intensity, **about)).trajectory()


async def play_episode(
    env: gymnasium.Env[str, str],
    policy: Policy,
    call: Callable[..., Awaitable[Any]],
    *,
    task: str,
    sample: int,
    seed: int,
    name: str,
    storm: str,
    intensity: float,
) -> Played:
    """Does what `run_episode` does, and leaves making the record to whoever needs it.

    Args:
        call: Awaited with a function of the environment and its arguments, it calls the one with the others, as in a
            thread.
    """
    name = name or type(policy).__name__
    about: dict[str, Any] = {"policy": name, "sample": sample, "seed": seed, "storm": storm}
    about |= {"intensity": float(intensity), "id": episode_id(seed, name, storm, intensity, task, sample)}
    played = Played(env, task, about)
    try:
        reset = partial(env.reset, seed=seed, options={"task": task, "sample": sample})
        about["question"], _ = await call(reset)
        desk: Any = env.unwrapped
        tools = tuple(offer.schema for offer in desk.offers.values())
        agent = policy.begin(Start(derive(seed, "policy", name, task, sample), desk.dialect, tools))
        ended = False
        while not ended:
            completion = await agent.act(desk.conversation)
            action = encodable(completion.text)
            _, _, terminated, truncated, info = await call(env.step, action)
            played.steps.append(step_record(desk, action, "", info))
            desk.desk.settle()  # nothing large stays while the policy thinks
            played.sampled += filter(None, [completion.sampled])
            ended = terminated or truncated
    except (Exception, asyncio.CancelledError) as exception:
        if isinstance(exception, asyncio.CancelledError) and _cancelled():
            raise
        played.error = describe(exception)
    return played


def _cancelled() -> bool:
    """Whether it is this episode that was cancelled, and not something that its policy waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def encodable(text: str) -> str:
    """Text that every store can keep: lone surrogates, which a policy may write, become U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def step_record(desk: Any, action: str, observation: str, info: dict[str, Any]) -> Step:
    """What the record keeps of a step that has just been taken."""
    labels = tuple(filter(None, info["capabilities"].split(",")))
    asked = tuple(asked_of(exchange) for exchange in desk.desk.exchanges)
    spending = {name: float(info[name]) for name in SPENT}
    return Step(action, observation, labels, info["problems"], asked, spending, desk.view.struck, desk.view.dropped)


def trajectory_of(
    env: gymnasium.Env[str, str], task: str, steps: tuple[Step, ...], error: str | None, about: dict[str, Any]
) -> Trajectory:
    """The record of an episode that has ended, or that has broken off with an error."""
    desk: Any = env.unwrapped
    if error is not None:
        return Trajectory(task, "errored", steps=steps, error=error, snapshot=snapshot_digest(desk.web), **about)
    limits = {name: float(limit) for name in SPENT if (limit := getattr(desk.desk.budget, name)) is not None}
    pages = desk.desk.pages
    found = tuple(citation.url for citation in citations(desk.answer or "", pages))
    return Trajectory(
        task=task,
        status="answered" if desk.answer is not None else "truncated",
        answer=desk.answer,
        citations=found,
        spending=steps[-1].spending,
        budget=limits,
        steps=steps,
        pages=tuple((url, text_digest(page.text)) for url, page in pages.items()),
        commands=tuple((key, data) for key, data in desk.commands),
        events=desk.events,
        snapshot=snapshot_digest(desk.web),
        **about,
    )


def asked_of(exchange: Exchange) -> Asked:
    """An exchange with a digest in the place of its response."""
    response = exchange.response
    outcome = response.kind if isinstance(response, Failure) else type(response).__name__
    return Asked(encode(exchange.request), exchange.call, outcome, response_digest(response), response.cost)


def response_digest(response: Response) -> str:
    """The sha256 of a response's canonical JSON, in hex."""
    return text_digest(canonical_json(encode(response)))


def text_digest(text: str) -> str:
    """The sha256 of a text, in hex."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def snapshot_digest(world: Any) -> str:
    """Content digest of the snapshot at the bottom of a world; empty for a world without one."""
    while world is not None and not hasattr(world, "info"):
        world = getattr(world, "inner", None)
    return str(world.info["content_digest"]) if world is not None else ""


def describe(exception: BaseException) -> str:
    """What broke, in one line: type, message, and the innermost place of the code."""
    frames = traceback.extract_tb(exception.__traceback__)
    place = f" (in {frames[-1].name}, line {frames[-1].lineno})" if frames else ""
    return encodable(f"{type(exception).__name__}: {str(exception)[:500]}{place}")
