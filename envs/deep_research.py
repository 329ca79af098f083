"""The environment: a researcher's desk as a native Gymnasium environment."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gymnasium

from murk.envs import actions
from murk.envs.budget import LIMITED, Budget, Prices, Spending
from murk.envs.citations import citations
from murk.envs.context import Conversation, History, Message, Trimming, View
from murk.envs.delivered import Delivered
from murk.envs.desk import Cached, Desk, NoShell, Router
from murk.envs.errors import UnknownName, UsageError
from murk.envs.faults.storm import Storm
from murk.envs.opening import base_of, open_web
from murk.envs.records import FaultEvent, Trajectory, World, decode
from murk.envs.sandbox import Sandbox
from murk.envs.settings import check_range, check_settings
from murk.envs.shell import Difference, KeptShell, RecordedShell, Shell
from murk.envs.spaces import UnicodeText
from murk.envs.tasks import Task, read_tasks
from murk.envs.tokens import token_counter
from murk.envs.toolbox import Toolbox, without_patching
from murk.envs.tools import CAPABILITIES, profile
from murk.envs.tools.shell import ShellTool
from murk.envs.transcript import show, transcript
from murk.envs.utf8 import encodable
from murk.envs.web.retrievals import Retrievals
from murk.envs.web.snapshot import Snapshot
from murk.envs.workspace import Workspace

MAX_OBSERVATION = 1_000_000


class DeepResearchEnv(gymnasium.Env[str, str]):
    """An agent researches a question with tools over a frozen web, and ends with a cited report.

    An action is the agent's turn as text, in a dialect (`murk.envs.actions`). The observation is the newest turn of the
    world as text. Nothing an agent writes raises.

    Args:
        snapshot: Folder of a snapshot, or a world that is open already.
        tasks: JSONL file of tasks, or tasks as mappings; environments that share what `read_tasks` gave need no copies.
        tools: Tool profile: `research`, `full`, or a mapping (`murk.envs.tools.profile`), such as
            `{"base": "research", "todo": False}` to leave a tool out.
        dialect: `step`, `hermes`, `openai` or `react`.
        budget: Limits by field of `Budget`; a task's own come first. A call beyond them is not run and ends the
            episode; an answer counts, even if it is what goes beyond.
        prices: Settings of `Prices`.
        max_steps: Turns of an episode.
        tokenizer: A `tokenizer.json` file by which all tokens are counted; None for the default rule, a quarter of the
            UTF-8 bytes, rounded up (`murk.envs.budget.count_tokens`).
        faults: Settings of a storm: `name`, `intensity`, `scope` and `faults` (`murk.envs.faults.storm.Storm.of`); None
            for a web as it should be.
        authority: Whether authority lifts results where relevance is close; needs a folder as `snapshot`.
        rerank: How the first results are reranked by meaning, such as `{"embedder": "static"}`
            (`murk.envs.opening.open_web`); None for not at all. Needs a folder as `snapshot`.
        cache: Whether identical requests are answered from memory.
        retrievals: Folder of a cache of retrievals, which all episodes, runs and processes of a machine share
            (`murk.envs.web.retrievals`); it changes no byte of an episode. None for none.
        patching: Whether files can be patched.
        summaries: Whether long results are cut, their whole text kept as a file.
        context: Thresholds `upper` and `lower` in tokens, beyond which the oldest parts of the conversation are cut
            from what the policy sees; None to show it whole.
        reward: Name of the reward, or a mapping of its name to its settings, which the wrapper `PayReward` pays on the
            last step; None to leave scoring for later. This class itself pays 0.
        replay: Whether commands are answered from a record, given to `reset`, and no sandbox is needed; `rerun` to run
            each in the sandbox as well, and list in `differences` what is not as recorded.
        render_mode: `ansi` (`render` returns the transcript), `human` (it is printed in colour as it grows) or None.

    Raises:
        UsageError: a setting is wrong; the message names it and what is allowed.
    """

    metadata = {"render_modes": ["ansi", "human"], "render_fps": 1}  # noqa: RUF012  (gymnasium declares it so)

    def __init__(
        self,
        snapshot: str | Path | World,
        tasks: str | Iterable[Mapping[str, Any]] | Mapping[str, Task],
        *,
        tools: str | Mapping[str, Any] = "research",
        dialect: str = "step",
        budget: Mapping[str, float | None] | None = None,
        prices: Mapping[str, float] | None = None,
        max_steps: int = 50,
        tokenizer: str | None = None,
        faults: Mapping[str, Any] | None = None,
        authority: bool = True,
        rerank: Mapping[str, Any] | None = None,
        cache: bool = True,
        retrievals: str | None = None,
        patching: bool = True,
        summaries: bool = True,
        context: Mapping[str, int] | None = MappingProxyType({"upper": 80_000, "lower": 60_000}),
        reward: str | Mapping[str, Any] | None = "rubric",
        replay: bool | str = False,
        render_mode: str | None = None,
    ) -> None:
        check_settings(
            "environment", DeepResearchEnv, {name: value for name, value in locals().items() if name != "self"}
        )
        if dialect not in actions.DIALECTS:
            raise UnknownName("dialect", dialect, actions.DIALECTS)
        check_range("environment: max_steps", max_steps, 1)
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UnknownName("render mode", str(render_mode), self.metadata["render_modes"])
        if replay not in (False, True, "rerun"):
            raise UsageError(f"replay is {replay!r}; allowed are false, true and 'rerun'.")
        self.web: World = open_web(snapshot, authority, rerank)
        self.retrievals = None if retrievals is None else Retrievals(self.web, Path(retrievals))
        self.tasks = read_tasks(tasks)
        self.storm, self._base = Storm.of(faults), base_of(self.web)
        if self.storm.lies and self._base is None:
            raise UsageError(f"faults that change the content of pages need a snapshot; {self.web!r} holds none.")
        self.offers = profile(tools) if patching else without_patching(profile(tools))
        self._toolbox = Toolbox(self.offers)
        has_shell = any(isinstance(offer.tool, ShellTool) for offer in self.offers.values())
        self.sandbox = Sandbox() if has_shell and replay in (False, "rerun") else None
        if self.sandbox:
            places = (snapshot, tasks, retrievals, getattr(self.web, "folder", None))
            self.sandbox.check_hidden(Path(place) for place in places if isinstance(place, str | Path))
        self.replay = replay
        self.dialect, self.max_steps, self.render_mode = dialect, max_steps, render_mode
        self.budget, self.prices = dict(budget or {}), Prices.of(prices)
        Budget.of(self.budget)
        self._count = token_counter(tokenizer)
        self.cache, self.patching, self.summaries = cache, patching, summaries
        self.reward = reward
        self.trimming = Trimming.of(context) if context is not None else None
        self.action_space = UnicodeText(actions.MAX_ACTION)
        self.observation_space = UnicodeText(MAX_OBSERVATION)
        self._ended, self._seed = True, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begins an episode.

        Args:
            seed: Of the faults; chooses the task where the options do not. None for that of the last reset.
            options: `task`: id of the task. `sample`: index among its samples, from 0. `commands`: for a replay, what
                `commands` of the recorded episode gave; without it the record is empty.

        Returns:
            The question, and the info.

        Raises:
            UnknownName: no such task or option.
            UsageError: an option is of another type.
        """
        options = options or {}
        check_settings("reset", _options, options)
        check_range("reset: sample", options.get("sample", 0), 0)
        super().reset(seed=seed)
        self._seed = self._seed if seed is None else seed
        name = options.get("task")
        if name is None:
            name = list(self.tasks)[int(self.np_random.integers(len(self.tasks)))]
        if name not in self.tasks:
            raise UnknownName("task", str(name), self.tasks)
        self.task: Task = self.tasks[name]
        self.step_number, self._ended = 0, False
        self.answer: str | None = None
        web: World = self.retrievals or self.web
        if self.retrievals:
            self.retrievals.begin()
        self.cached = Cached(web)
        workspace = Workspace(self.patching)
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.differences: list[Difference] = []
        shell = KeptShell(self._shell(workspace, options.get("commands")), self.commands)
        world = Router(self.cached if self.cache else web, workspace, shell)
        self.faulty = self.storm.around(world, self._base, self._seed, self.task, options.get("sample", 0))
        self._told = 0
        limits = Budget.of(self.budget | dict(self.task.budget))
        known = self.cached if self.cache and self.cached.unchanging else None
        pages = Delivered(known.again, known.gave) if known else Delivered()
        self.desk = Desk(
            self.faulty.front, workspace, limits, self.prices, self._count, self.summaries, pages, self._toolbox.reads
        )
        question = self._question()
        self._past = History(Message("user", question, self.desk.read(question)), self.trimming, self._count)
        self._labels = dict.fromkeys(CAPABILITIES, 0)
        if self.render_mode == "human":
            show(self._past.messages)
        return question, self._info(self.desk.spent, (), 0, "running")

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Takes a turn: runs its calls in their order, or ends the episode with its answer.

        Raises:
            UsageError: the episode is over, or has not begun; or the action is no text.
        """
        if not isinstance(action, str):
            raise UsageError(f"the action is a {type(action).__name__}; allowed is text.")
        if self._ended:
            raise UsageError("the episode is over; call reset to begin another.")
        self._ended = True  # and stays so, should anything here raise
        self.desk.settle()
        written = self.desk.write(action)
        turn = actions.read(action, self.dialect, self._toolbox.names)
        results, labels = [], []
        for call in turn.calls:
            text, label = self._toolbox.call(call, self.desk, self.faulty.drift, self.step_number)
            results.append((call, text))
            labels.append(label)
        self.answer = turn.answer
        terminated = turn.answer is not None
        self.step_number += 1
        said = actions.NOTHING if terminated else actions.render_sized(results, turn.problems, self.dialect)
        if len(said.text) > MAX_OBSERVATION:
            observation, size = encodable(said.text[:MAX_OBSERVATION])
            said = actions.Rendered(observation, size, observation)
        read = self.desk.read(said.text, said.size)
        taken, seen = Message("assistant", action, written), Message("tool", said.compact, read)
        self._past.add(taken, seen, written + read)
        if self.render_mode == "human":
            show((taken, seen))
        spent = self.desk.spent
        spent_up = self.desk.limited and self.desk.budget.exceeded(spent) is not None
        truncated = not terminated and (self.step_number >= self.max_steps or spent_up)
        self._ended = terminated or truncated
        status = "answered" if terminated else "truncated" if truncated else "running"
        if terminated:
            labels.append("report")
        for label in labels:
            self._labels[label] += 1
        return said.text, 0.0, terminated, truncated, self._info(spent, labels, len(turn.problems), status)

    @property
    def events(self) -> tuple[FaultEvent, ...]:
        """The firings of faults in this episode so far. Never to be shown to a policy."""
        return tuple(self.faulty.ledger.events)

    @property
    def instant(self) -> bool:
        """Whether no step waits for anything outside of this process, so that an event loop may run it."""
        tools = all(getattr(offer.tool, "instant", False) for offer in self.offers.values())
        return tools and isinstance(self.web, Snapshot) and self.web.rerank is None and self.retrievals is None

    @property
    def trajectory(self) -> Trajectory:
        """The episode so far, as rewards see it."""
        spent, limits = self.desk.spent, self.desk.budget
        spending = {name: getattr(spent, name) for name in LIMITED}
        budget = {name: limit for name in spending if (limit := getattr(limits, name)) is not None}
        found = tuple(citation.url for citation in citations(self.answer or "", self.desk.pages))
        status = "answered" if self.answer is not None else "truncated"
        return Trajectory(self.task.id, status, self.answer, found, spending, budget)

    def render(self) -> str | None:
        """The transcript so far, as text; None in other modes than `ansi`.

        Raises:
            UsageError: no episode has begun.
        """
        if not hasattr(self, "_past"):
            raise UsageError("there is nothing to render; call reset to begin an episode.")
        return transcript(self.history) if self.render_mode == "ansi" else None

    @property
    def history(self) -> Sequence[Message]:
        """All messages so far: the question, then for each turn the action and the observation."""
        return self._past.messages

    @property
    def view(self) -> View:
        """The conversation as the policy should see it, and what was cut from it."""
        return self._past.view

    @property
    def conversation(self) -> Conversation:
        """Chat messages as the policy should see them, after context management; `list` makes a list of dicts of it."""
        return Conversation(self.view.messages)

    def __repr__(self) -> str:
        return f"DeepResearchEnv({self.dialect}, tools={list(self.offers)}, world={self.web!r})"

    def _shell(self, workspace: Workspace, commands: Iterable[tuple[str, Mapping[str, Any]]] | None) -> World:
        """What answers commands in this episode."""
        if self.replay or commands is not None:
            record = [(key, decode(data)) for key, data in commands or ()]
            shell = RecordedShell(record, workspace, self.sandbox if self.replay == "rerun" else None)
            self.differences = shell.differences
            return shell
        return Shell(self.sandbox, workspace) if self.sandbox else NoShell()

    def _question(self) -> str:
        parts = [self.task.question]
        if self.task.as_of:
            parts.append(f"Answer as of {self.task.as_of}.")
        left = {name: value for name, value in self.desk.budget.left(self.desk.spent).items() if value is not None}
        if left:
            parts.append("Your budget: " + ", ".join(f"{name} {value:g}" for name, value in left.items()) + ".")
        return "\n\n".join(parts)

    def _info(self, spent: Spending, labels: Iterable[str], problems: int, status: str) -> dict[str, Any]:
        struck, dropped = self._past.cut
        info: dict[str, Any] = {
            "task": self.task.id,
            "status": status,
            "step": self.step_number,
            "capabilities": ",".join(labels),
            "problems": problems,
            "calls": spent.calls,
            "tokens": spent.tokens,
            "seconds": spent.seconds,
            "money": spent.money,
            "cache_hits": self.cached.saved_calls,
            "struck": struck,
            "dropped": dropped,
            "faults": tuple(self.faulty.ledger.events[self._told :]),
            **self._labels,
        }
        self._told += len(info["faults"])
        if self.desk.limited:
            left = self.desk.budget.left(spent)
            info |= {f"{name}_left": value for name, value in left.items() if value is not None}
        if self.answer is not None:
            found = citations(self.answer, self.desk.pages)
            info["citations"] = sum(citation.url is not None for citation in found)
            info["dead_citations"] = sum(citation.url is None for citation in found)
        return info


def _options(task: str | None = None, sample: int = 0, commands: Iterable[Any] | None = None) -> None:
    """What the options of a reset may be."""
