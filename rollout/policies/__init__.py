"""Policies: what decides an agent's turns. One file each; each a plugin of the group `policies`.

A policy is a frozen dataclass whose fields are its settings. It sees the conversation and the schemas of its tools,
and nothing else: no label, no gold page, no rubric.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from murk.envs.records import Sampled


@dataclass(frozen=True, slots=True)
class Start:
    """What a policy is told when an episode begins.

    Attributes:
        seed: Derived for this episode; all that a policy may draw from.
        dialect: How turns are written (`murk.envs.actions`).
        tools: JSON schemas of the tools, as OpenAI functions.
    """

    seed: int
    dialect: str = "step"
    tools: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """One turn that a policy takes.

    Attributes:
        text: The turn, in the dialect.
        sampled: What its model sampled; None for policies without one. A policy that knows no token ids, as one that
            asks a server, leaves them empty and tells `usage` alone.
    """

    text: str
    sampled: Sampled | None = None


class Agent(Protocol):
    """A policy within one episode."""

    async def act(self, conversation: Sequence[Mapping[str, str]]) -> Completion:
        """Takes the next turn, given chat messages with `role` (`user`, `assistant`, `tool`) and `content`."""
        ...


class Policy(Protocol):
    """A policy; `begin` gives the agent of one episode."""

    def begin(self, start: Start) -> Agent:
        """Begins an episode; agents of one policy share nothing that could change a turn."""
        ...
