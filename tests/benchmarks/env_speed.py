"""Steps of the environment in process: no-op, search, open, file and shell, and 128 environments; beside peers."""

import gc
import json
import re
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from typing import Any

import gymnasium
import numpy as np
from common import in_rounds, p50_p99, short_queries, snapshot_folder, table, versions
from engines import page_urls
from numpy.typing import NDArray
from rollout_peers.work import Web

from murk.envs.deep_research import DeepResearchEnv
from murk.envs.web.snapshot import Snapshot

ENVIRONMENT = "murk.envs:murk/DeepResearch-v0"
STEPS, EPISODE, ROUNDS = 450, 50, 9
ENVIRONMENTS, BUILDS = 128, 5
COMMANDS = 40
LONG, WINDOWS = 500, (0, 50, 200, 450)
STRIDE = 1_733
PAGE = ("The lighthouse was lit in 1890 by its first keeper. " * 200)[:9_000]
TASKS = ({"id": "one", "question": "When was the lighthouse lit, and by whom?"},)
RUBBISH = "I am not sure what to do next."

Times = dict[str, NDArray[np.float64]]


class Episodes:
    """Takes step i of a list of turns; a new environment begins every `EPISODE` steps, all made outside the timing."""

    def __init__(self, make: Callable[[], Any], turns: Sequence[str]) -> None:
        self._make, self._turns, self._environments = make, turns, list[Any]()

    def begin(self) -> None:
        self._environments = [self._make() for _ in range(0, len(self._turns), EPISODE)]

    def __call__(self, i: int) -> Any:
        return self._environments[i // EPISODE].step(self._turns[i])


class Constant(gymnasium.Env[str, str]):
    """Gymnasium's own no-op: a page of 9 kB, always the same."""

    def __init__(self) -> None:
        self.action_space = gymnasium.spaces.Text(1_000)
        self.observation_space = gymnasium.spaces.Text(len(PAGE), charset=frozenset(PAGE))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        return PAGE, {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        return PAGE, 0.0, False, False, {}


def main() -> None:
    """Prints the tables."""
    warnings.filterwarnings("ignore", module="gymnasium")
    gymnasium.register("bench/Constant-v0", lambda **settings: Constant())
    folder = snapshot_folder()
    snapshot = Snapshot.open(folder)
    makers = _peers(Web(snapshot))
    print(f"# Environments in process, {len(page_urls(snapshot)):,} Wikispeedia pages, episodes of {EPISODE} steps")
    _notes()
    queries = short_queries(STEPS)
    urls = page_urls(snapshot)
    addresses = [urls[i * STRIDE % len(urls)] for i in range(STEPS)]
    _same_work(snapshot, queries, addresses)
    idle = _measure(_idle(snapshot, makers))
    _steps("No-op steps; microseconds", idle)
    work = _measure(_work(snapshot, makers, queries, addresses))
    _steps("Steps that work, no cache; microseconds", work)
    _steps("File steps, 9 kB; microseconds", _measure(_files(snapshot)))
    _shell(snapshot)
    _history(snapshot)
    built = _construction(str(folder), makers)
    _targets(idle, work, built)


def _murk(snapshot: Snapshot, **settings: Any) -> Callable[[], DeepResearchEnv]:
    def make() -> DeepResearchEnv:
        environment = DeepResearchEnv(snapshot, TASKS, max_steps=1_000_000, cache=False, **settings)
        environment.reset(seed=0)
        return environment

    return make


def _made(name: str, **settings: Any) -> Callable[[], Any]:
    def make() -> Any:
        environment = gymnasium.make(name, **settings)
        environment.reset(seed=0)
        return environment

    return make


def _constant() -> Constant:
    environment = Constant()
    environment.reset(seed=0)
    return environment


def _call(tool: str, **arguments: Any) -> str:
    return f"<think>Go on.</think>\n<toolcall>{json.dumps({'name': tool, 'arguments': arguments})}</toolcall>"


def _idle(snapshot: Snapshot, makers: Mapping[str, Callable[[], Any]]) -> dict[str, Episodes]:
    """Steps that ask nothing of the snapshot; those of the peers return 9 kB."""
    budget, rubbish = [_call("budget")] * STEPS, [RUBBISH] * STEPS
    whole = _made(ENVIRONMENT, snapshot=snapshot, tasks=TASKS, max_steps=1_000_000)
    return {
        "murk: budget": Episodes(_murk(snapshot), budget),
        "murk: budget, context=None": Episodes(_murk(snapshot, context=None), budget),
        "murk: budget, by gymnasium.make": Episodes(whole, budget),
        "murk: wait 0": Episodes(_murk(snapshot), [_call("wait", seconds=0)] * STEPS),
        "murk: a turn without a call": Episodes(_murk(snapshot), rubbish),
        "gymnasium: constant": Episodes(_constant, rubbish),
        "gymnasium: constant, by gymnasium.make": Episodes(_made("bench/Constant-v0"), rubbish),
        **{f"{name}: constant": Episodes(make, rubbish) for name, make in makers.items()},
    }


def _work(
    snapshot: Snapshot, makers: Mapping[str, Callable[[], Any]], queries: list[str], urls: list[str]
) -> dict[str, Callable[[int], object]]:
    """Searches of one query and openings of one page, the bare calls beside them."""
    surfer = "batch_web_surfer"
    search = [_call(surfer, action="batch_search", queries=[query], topk=10) for query in queries]
    opened = [_call(surfer, action="batch_open", urls=[url]) for url in urls]
    tagged = {
        "search": [f"<search>{query}</search>" for query in queries],
        "open": [f"<open>{url}</open>" for url in urls],
    }
    calls: dict[str, Callable[[int], object]] = {
        "bare: snapshot.search": lambda i: snapshot.search(queries[i], 10),
        "murk: search": Episodes(_murk(snapshot), search),
        "murk: search, context=None": Episodes(_murk(snapshot, context=None), search),
        **{f"{name}: search": Episodes(make, tagged["search"]) for name, make in makers.items()},
        "bare: snapshot.page": lambda i: snapshot.page(urls[i]),
        "murk: open": Episodes(_murk(snapshot), opened),
        "murk: open, context=None": Episodes(_murk(snapshot, context=None), opened),
        **{f"{name}: open": Episodes(make, tagged["open"]) for name, make in makers.items()},
    }
    return calls


def _files(snapshot: Snapshot) -> dict[str, Episodes]:
    """Writing, reading and patching a file of a page's size."""

    def kept() -> DeepResearchEnv:
        environment = _murk(snapshot)()
        environment.step(_call("file", action="write", path="notes.md", content=f"{PAGE}\nmark"))
        return environment

    write = [_call("file", action="write", path=f"{i % EPISODE}.md", content=PAGE) for i in range(STEPS)]
    patch = _call("file", action="patch", path="notes.md", anchor="mark", content="mark")
    return {
        "murk: file write": Episodes(_murk(snapshot), write),
        "murk: file read": Episodes(kept, [_call("file", action="read", path="notes.md")] * STEPS),
        "murk: file patch": Episodes(kept, [patch] * STEPS),
    }


def _measure(calls: Mapping[str, Callable[[int], object]]) -> Times:
    def begin() -> None:
        for call in calls.values():
            if isinstance(call, Episodes):
                call.begin()
        gc.collect()

    return in_rounds(calls, STEPS, ROUNDS, begin)


def _steps(title: str, times: Times) -> None:
    middle = {name: np.median(rows, axis=0) for name, rows in times.items()}
    rows = [[name, *p50_p99(row, digits=1), f"{1e6 / row.mean():,.0f}"] for name, row in middle.items()]
    table(title, ["", "p50", "p99", "steps/s"], rows)


def _shell(snapshot: Snapshot) -> None:
    """The command `true`; each is a sandbox of its own."""
    if not shutil.which("bwrap"):
        print("\nShell steps were not measured: bubblewrap (bwrap) is not installed.")
        return
    episodes = Episodes(_murk(snapshot, tools="full"), [_call("shell", cmd="true")] * COMMANDS)
    episodes.begin()
    if "exit code 0" not in episodes(0)[0]:
        print("\nShell steps were not measured: bubblewrap cannot make a sandbox here.")
        return
    calls: dict[str, Callable[[int], object]] = {
        "murk: shell true": episodes,
        "bare: subprocess.run of bash -c true": lambda i: subprocess.run(["bash", "-c", "true"], check=True),
    }
    _steps("Shell steps; microseconds", in_rounds(calls, COMMANDS, 3, episodes.begin))


def _history(snapshot: Snapshot) -> None:
    """What a step costs late in an episode, with and without context management."""
    write = _call("file", action="write", path="a.md", content=PAGE)
    turns = {"budget": _call("budget"), "file read, 9 kB": _call("file", action="read", path="a.md")}
    rows = []
    for name, turn in turns.items():
        for label, settings in (("", {}), (", context=None", {"context": None})):
            times = np.zeros((3, LONG))
            for row in times:
                environment = _murk(snapshot, **settings)()
                environment.step(write)
                for i in range(LONG):
                    began = time.perf_counter_ns()
                    environment.step(turn)
                    row[i] = time.perf_counter_ns() - began
            middle = np.median(times, axis=0) / 1000
            cells = [f"{np.median(middle[first : first + 50]):,.1f}" for first in WINDOWS]
            rows.append([f"murk: {name}{label}", *cells])
    head = ["", *[f"steps {first + 1}-{first + 50}" for first in WINDOWS]]
    table("A step late in an episode; microseconds, p50", head, rows)


def _construction(folder: str, makers: Mapping[str, Callable[[], Any]]) -> dict[str, list[float]]:
    """Seconds of making and resetting 128 environments, time by time; those of murk each open the snapshot."""

    def bare() -> DeepResearchEnv:
        environment = DeepResearchEnv(folder, TASKS)
        environment.reset(seed=0)
        return environment

    contenders: dict[str, Callable[[], Any]] = {
        "murk: gymnasium.make on a folder": _made(ENVIRONMENT, snapshot=folder, tasks=TASKS),
        "murk: DeepResearchEnv on a folder": bare,
        "gymnasium: constant, by gymnasium.make": _made("bench/Constant-v0"),
        **{f"{name}: constant": make for name, make in makers.items()},
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(BUILDS):
        for name, make in contenders.items():
            began = time.perf_counter()
            environments = [make() for _ in range(ENVIRONMENTS)]
            seconds[name].append(time.perf_counter() - began)
            del environments
    rows = [[name, f"{np.median(row):.4f}", f"{max(row):.4f}"] for name, row in seconds.items()]
    table(f"Construction and reset of {ENVIRONMENTS} environments; seconds", ["", "median", "longest"], rows)
    return seconds


def _targets(idle: Times, work: Times, built: Mapping[str, list[float]]) -> None:
    """Medians against the targets; what a step adds is the median of the differences, query by query. Beside them the
    same of the quietest round of each query, for a busy machine adds to both sides, and not alike."""
    measured = [(f"{name}, us", 50.0, *_typical(idle[name])) for name in idle if name.startswith("murk:")]
    for verb, bare in (("search", "bare: snapshot.search"), ("open", "bare: snapshot.page")):
        for name in work:
            if name.endswith((f": {verb}", f": {verb}, context=None")):
                most = 100.0 if name.startswith("murk:") else np.inf
                measured.append((f"{name}, beyond the bare call, us", most, *_typical(work[name], work[bare])))
    folders = [name for name in built if name.startswith("murk:")]
    measured += [(f"{name}, {ENVIRONMENTS} of them, s", 2.0, max(built[name]), min(built[name])) for name in folders]
    rows = [
        [name, "" if most == np.inf else f"{most:g}", f"{value:.2f}", f"{least:.2f}", "yes" if value < most else "no"]
        for name, most, value, least in measured
    ]
    table("Targets", ["", "under", "measured", "quietest", "met"], rows)


def _typical(rows: NDArray[np.float64], bare: NDArray[np.float64] | float = 0.0) -> tuple[float, float]:
    """Median over the queries, less the bare call's: of the median round, and of the quietest."""
    zero = np.zeros_like(rows) if isinstance(bare, float) else bare
    both = [pick(rows, axis=0) - pick(zero, axis=0) for pick in (np.median, np.min)]
    return float(np.median(both[0])), float(np.median(both[1]))


def _same_work(snapshot: Snapshot, queries: list[str], urls: list[str]) -> None:
    """The peers' texts say what murk's say."""
    environment, web = _murk(snapshot)(), Web(snapshot)
    for query, url in list(zip(queries, urls, strict=True))[:5]:
        seen = environment.step(_call("batch_web_surfer", action="batch_search", queries=[query], topk=10))[0]
        assert json.loads(seen[seen.index("[") : seen.rindex("]") + 1]) == json.loads(web.search(query))
        seen = environment.step(_call("batch_web_surfer", action="batch_open", urls=[url]))[0]
        assert web.open(url)[-1_000:] in seen


def _notes() -> None:
    print(versions("murk-gym", "gymnasium", "numpy"), end="")
    for package in ("skyrl-gym", "gem-llm"):
        try:
            print(f", {versions(package).split(', ')[1]}", end="")
        except PackageNotFoundError:
            print(f"; {package} is not installed and left out", end="")
    print()


def _peers(web: Web) -> dict[str, Callable[[], Any]]:
    """What makes an environment of each peer that is installed: constant 9 kB unless a turn searches or opens."""
    makers: dict[str, Callable[[Web], Callable[[], Any]]] = {"skyrl-gym": _skyrl, "GEM": _gem}
    found = {}
    for name, maker in makers.items():
        try:
            found[name] = maker(web)
        except ImportError as error:
            print(f"{name} is left out: {error}")
    return found


def _skyrl(web: Web) -> Callable[[], Any]:
    text_env: Any = import_module("skyrl_gym.envs.base_text_env")
    core: Any = import_module("skyrl_gym.tools.core")
    tag = re.compile(r"<(search|open)>(.*?)</\1>", re.DOTALL)

    class Group(core.ToolGroup):  # type: ignore[misc]
        @core.tool  # type: ignore[untyped-decorator]
        def search(self, query: str) -> str:
            return web.search(query)

        @core.tool  # type: ignore[untyped-decorator]
        def open(self, url: str) -> str:
            return web.open(url)

    class Environment(text_env.BaseTextEnv):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.init_tool_groups([Group("web")])

        def step(self, action: str) -> Any:
            self.turns += 1
            found = tag.search(action)
            text = self._execute_tool("web", found[1], [found[2]]) if found else PAGE
            message = {"role": "user", "content": text}
            return text_env.BaseTextEnvStepOutput(observations=[message], reward=0.0, done=False, metadata={})

    def make() -> Any:
        environment = Environment()
        environment.init([{"role": "user", "content": TASKS[0]["question"]}])
        return environment

    return make


def _gem(web: Web) -> Callable[[], Any]:
    core: Any = import_module("gem.core")
    tools: Any = import_module("gem.tools.base_tool")
    wrapper: Any = import_module("gem.tools.tool_env_wrapper")
    tag = re.compile(r"<(search|open)>(.*?)</\1>", re.DOTALL)

    class Tool(tools.BaseTool):  # type: ignore[misc]
        def instruction_string(self) -> str:
            return "<search>words</search> searches, <open>url</open> opens a page."

        def execute_action(self, action: str) -> tuple[bool, bool, str, str]:
            found = tag.search(action)
            if not found:
                return False, True, "", ""
            text = web.search(found[2]) if found[1] == "search" else web.open(found[2])
            return True, False, text, found[0]

    class Environment(core.Env):  # type: ignore[misc]
        def reset(self, seed: int | None = None) -> tuple[str, dict[str, Any]]:
            super().reset(seed)
            return TASKS[0]["question"], {}

        def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
            return PAGE, 0.0, False, False, {}

    def make() -> Any:
        environment = wrapper.ToolEnvWrapper(Environment(), [Tool()], max_tool_uses=None)
        environment.reset(seed=0)
        return environment

    return make


if __name__ == "__main__":
    main()
