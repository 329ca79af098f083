"""The desk: through which the tools of one episode ask the world, keep files, and spend."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from murk.envs.budget import Budget, Counter, Prices, Spending
from murk.envs.delivered import Delivered, Held
from murk.envs.records import (
    Call,
    Failure,
    FileOp,
    Hits,
    LinkList,
    Page,
    Request,
    Response,
    Run,
    Search,
    World,
)
from murk.envs.workspace import Workspace

_NO_DATE = re.compile(r"[^0-9TZ-]")
FOREVER = 1e12  # seconds: as long as anything may take


@dataclass(slots=True)
class Exchange:
    """One request that a tool made of the world, where it stood, and the response delivered."""

    request: Request
    call: Call
    response: Response


class Cached:
    """Answers an identical request of the episode again at no cost of time.

    It knows only successful answers, so that a retry after a failure always asks. Of a world that never changes it
    keeps only which they were, for it can ask again; of others it keeps the answers.

    Args:
        world: What is asked. Where it has an attribute `unchanging` that is true, equal requests have equal answers.

    Attributes:
        saved_calls: Requests answered at no cost.
        saved_seconds: Simulated seconds that they would have cost.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.unchanging: bool = getattr(world, "unchanging", False)
        self._kept: dict[str, tuple[Request, Response | None]] = {}
        self._sizes: dict[str, int] = {}
        self._given: Response | None = None
        self.saved_calls = 0
        self.saved_seconds = 0.0

    def answer(self, request: Request, call: Call) -> Response:
        """Answers a request from memory, or else from the world."""
        key, wanted = request.key, request.k if isinstance(request, Search) else 0
        if key in self._kept and self._sizes[key] >= wanted:
            first, kept = self._kept[key]
            response = self._world.answer(first, call) if kept is None else kept
            self.saved_calls += 1
            self.saved_seconds += response.cost
            response = replace(response, cost=0.0)
            if isinstance(response, Hits):
                response = replace(response, hits=response.hits[:wanted])
        else:
            response = self._world.answer(request, call)
            if isinstance(response, _SUCCESS):
                self._kept[key] = request, None if self.unchanging else response
                self._sizes[key] = wanted
        self._given = response if self.unchanging and isinstance(response, Page) else None
        return response

    def gave(self, page: Page) -> bool:
        """Whether a page is the very one that a world which never changes has just given."""
        given, self._given = self._given, None
        return page is given

    def again(self, request: Request) -> Page:
        """A page that the world, which never changes, gave before."""
        page = self._world.answer(request, _AGAIN)
        assert isinstance(page, Page)
        return page


_SUCCESS = (Hits, Page, LinkList)
_AGAIN = Call("", 0, 0, 0, 0.0)


class Router:
    """Sends each kind of request to the world that answers it."""

    def __init__(self, web: World, files: World, shell: World) -> None:
        self._web = web
        self._others: dict[type, World] = {FileOp: files, Run: shell}

    def answer(self, request: Request, call: Call) -> Response:
        """Answers a request by the world of its kind."""
        return self._others.get(type(request), self._web).answer(request, call)


class NoShell:
    """What stands where the tool profile has no shell."""

    def answer(self, request: Request, call: Call) -> Response:
        """Refuses."""
        return Failure("refused", 403, "there is no shell at this desk")


class Desk:
    """What tools act through in one episode.

    Attributes:
        workspace: The files.
        exchanges: All exchanges of the present step.
        limited: Whether anything that may be spent has a limit.
        todo: The items of the todo tool, by id.
        pages: Pages delivered in this episode, by canonical URL (`murk.envs.delivered.Delivered`).
        summaries: Whether long results are cut, their whole text kept in the workspace (summary-aware storage).
        readable: Whether a tool can read the workspace, so that it makes sense to keep them there.
    """

    def __init__(
        self,
        world: World,
        workspace: Workspace,
        budget: Budget,
        prices: Prices,
        count: Counter,
        summaries: bool = True,
        pages: Delivered | None = None,
        readable: bool = True,
    ) -> None:
        self.world, self.workspace, self.budget, self.prices = world, workspace, budget, prices
        self.summaries, self.readable, self.limited = summaries, readable, budget != Budget()
        self.exchanges: list[Exchange] = []
        self.todo: dict[str, dict[str, object]] = {}
        self.pages = pages if pages is not None else Delivered()
        self._held: dict[int, Held] = {}
        self._count = count
        self._attempts: dict[str, int] = {}
        self._tool, self._step = "", 0
        self._calls = self._tokens_in = self._tokens_out = 0
        self._microseconds = 0

    @property
    def spent(self) -> Spending:
        """What has been spent so far."""
        prices, read, written = self.prices, self._tokens_in, self._tokens_out
        money = self._calls * prices.per_call + (read * prices.per_million_in + written * prices.per_million_out) / 1e6
        return Spending(self._calls, read, written, self._microseconds / 1_000_000, money)

    def settle(self) -> None:
        """A step is over and recorded: its exchanges are let go."""
        self.exchanges = []
        self._held.clear()

    def begin(self, tool: str, step: int) -> None:
        """A tool call begins: it is charged."""
        self._tool, self._step = tool, step
        self._calls += 1

    def ask(self, request: Request) -> Response:
        """Makes one exchange."""
        return self.ask_all([request])[0]

    def ask_all(self, requests: Sequence[Request]) -> list[Response]:
        """Makes exchanges side by side: all begin now, and together they take the time of the slowest."""
        responses, slowest, now = [], 0.0, self._microseconds / 1_000_000
        for item, request in enumerate(requests):
            key = request.key
            attempt = self._attempts.get(key, 0)
            self._attempts[key] = attempt + 1
            call = Call(self._tool, self._step, item, attempt, now)
            response = self.world.answer(request, call)
            self.exchanges.append(Exchange(request, call, response))
            responses.append(response)
            slowest = max(slowest, response.cost)
            if isinstance(response, Page):
                self._held[id(response)] = self.pages.add(response, request)
        self.wait(slowest)
        return responses

    def wait(self, seconds: float) -> None:
        """Simulated time passes; it is counted in whole microseconds."""
        self._microseconds += round(min(seconds, FOREVER) * 1_000_000)

    def read(self, text: str, size: int | None = None) -> int:
        """The agent reads a text, of `size` bytes if known: it is charged for its tokens, which are returned."""
        tokens = self._count(text, size)
        self._tokens_in += tokens
        return tokens

    def write(self, text: str) -> int:
        """The agent writes a text: it is charged for its tokens, which are returned, and their time."""
        tokens = self._count(text)
        self._tokens_out += tokens
        self.wait(tokens * self.prices.seconds_per_token)
        return tokens

    def short(self, text: str, limit: int, path: str, page: Page | None = None) -> str:
        """The beginning of a long text, the whole of it kept as a file; the text itself where that is switched off.

        Args:
            page: Whose text it is, if it is that of a page asked for in this step.
        """
        if len(text) <= limit or not self.summaries:
            return text
        held = self._held.get(id(page))
        whole_text = held.text if held else lambda: text
        kept = self.workspace.lay_aside(path, whole_text, 4 * len(text)) if self.readable else None
        whole = f"; the whole text is the file {kept}" if kept else ""
        return f"{text[:limit]}\n[cut at {limit} of {len(text)} characters{whole}]"


def named(date: str) -> str:
    """The date of a capture for the name of a file; empty for none.

    >>> named("2021-03-01"), named("2021-03-01T12:30:00Z"), named("")
    ('-2021-03-01', '-2021-03-01T123000Z', '')
    """
    return "-" + _NO_DATE.sub("", date) if date else ""
