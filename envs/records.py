"""The frozen records that travel between an agent's tools and the world: requests, responses, and where they stand.

Every record is plain data: `murk.envs.codec` turns it into JSON values and back, and nothing else is ever stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, get_args

from murk.envs.codec import build, canonical_json, quoted


@dataclass(frozen=True, slots=True)
class Search:
    """Ask for pages about a query.

    Attributes:
        query: Words, with `"a phrase"`, `site:host` and `-word` as operators.
        k: Number of hits wanted, at least 1. Not part of the key: more hits of one query are the same question.
        shelf: `web` (all), `authority` (curated hosts) or `library` (long documents).
    """

    query: str
    k: int = 10
    shelf: str = "web"

    @property
    def key(self) -> str:
        words = " ".join(self.query.casefold().split())
        return f'["search",{quoted(self.shelf)},{quoted(words)}]'


@dataclass(frozen=True, slots=True)
class Open:
    """Ask for the text of a page, as it is in the newest capture or as it was at a date (`at`)."""

    url: str
    at: str | None = None

    @property
    def key(self) -> str:
        return canonical_json(["open", self.url, self.at])


@dataclass(frozen=True, slots=True)
class Links:
    """Ask for the links of a page, newest capture or at a date."""

    url: str
    at: str | None = None

    @property
    def key(self) -> str:
        return canonical_json(["links", self.url, self.at])


@dataclass(frozen=True, slots=True)
class Run:
    """Run a shell command in the sandbox, over the files of the workspace.

    Attributes:
        timeout: Seconds of real time that the command may take.
        cwd: Folder within the workspace.
        env: Additional environment variables, as (name, value).
    """

    command: str
    timeout: float = 60.0
    cwd: str = "."
    env: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        return canonical_json(["run", self.command, self.timeout, self.cwd, self.env])


@dataclass(frozen=True, slots=True)
class FileOp:
    """Do something with the files of the workspace.

    Attributes:
        action: `read`, `write`, `append`, `patch`, `list` or `stat`.
        path: Path within the workspace.
        content: Text to write or append; for `patch`, the text that replaces `anchor`.
        anchor: For `patch`, the text to be replaced.
        offset: For `read`, the byte to begin at.
        limit: For `read`, how many bytes at most.
    """

    action: str
    path: str = "."
    content: str = ""
    anchor: str = ""
    offset: int = 0
    limit: int = 12_000

    @property
    def key(self) -> str:
        return canonical_json(["file", self.action, self.path])


@dataclass(frozen=True, slots=True)
class Call:
    """Where in the episode a request stands.

    Attributes:
        tool: Name of the tool that asks.
        step: Index of the step, from 0.
        item: Position within a batch, from 0.
        attempt: Number of earlier requests with the same key in this episode.
        now: Simulated seconds since the episode began.
    """

    tool: str = ""
    step: int = 0
    item: int = 0
    attempt: int = 0
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result.

    Attributes:
        snippet: Words of the best passage, at most 300 characters on one line.
        score: Integer relevance; comparable within one answer only.
        tier: Authority tier of the host, 1 the highest, 0 for hosts that are not curated.
        page: Page number of the best passage in a long document, from 1; None for web pages.
        content: The text of the page around its best passage, at most 1,024 characters; empty where the world that
            answered gives none.
    """

    url: str
    title: str
    snippet: str
    date: str = ""
    score: int = 0
    tier: int = 0
    page: int | None = None
    content: str = ""


@dataclass(frozen=True, slots=True)
class Hits:
    """Search results, best first. `cost` is in simulated seconds."""

    hits: tuple[Hit, ...]
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Page:
    """A capture of a page.

    Attributes:
        text: Readable, Markdown-like text.
        date: When it was captured, `YYYY-MM-DD` or `YYYY-MM-DDThh:mm:ssZ`; empty where unknown.
        captures: Dates of all captures of this URL, oldest first.
        cost: Simulated seconds.
    """

    url: str
    title: str
    text: str
    date: str = ""
    captures: tuple[str, ...] = ()
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Link:
    """One hyperlink; `inside` tells whether the world holds its target."""

    url: str
    text: str = ""
    inside: bool = False


@dataclass(frozen=True, slots=True)
class LinkList:
    """The links of a page in the order of the page. `cost` is in simulated seconds."""

    url: str
    links: tuple[Link, ...]
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ran to its end or to its limits.

    Attributes:
        exit_code: Its exit status; 124 after a time-out, 137 if it was killed.
        stdout: Its output, bounded.
        stderr: Its error output, bounded.
        changes: What it changed in the workspace: path and new content, as base64; None for a file that is gone.
        notes: What was cut or refused, in words.
        cost: Simulated seconds.
    """

    exit_code: int
    stdout: str
    stderr: str
    changes: tuple[tuple[str, str | None], ...] = ()
    notes: tuple[str, ...] = ()
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Text:
    """Text that answers a file operation. `cost` is in simulated seconds."""

    text: str
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that the world refused or could not answer: a value, not an exception.

    Attributes:
        kind: `not_found`, `bad_request`, `timeout`, `refused`, `rate_limited`, `server_error`, `not_recorded`, ...
        status: The HTTP status it would have, 0 where there was no answer at all.
        message: What went wrong, in words for the agent.
        retry_after: Simulated seconds after which asking again makes sense, if the world said so.
        cost: Simulated seconds that the failing took.
    """

    kind: str
    status: int
    message: str
    retry_after: float | None = None
    cost: float = 0.0


WebRequest = Search | Open | Links
DeskRequest = Run | FileOp
Request = WebRequest | DeskRequest
Response = Hits | Page | LinkList | Completed | Text | Failure


@dataclass(frozen=True, slots=True)
class Asked:
    """An exchange as a trajectory keeps it.

    Attributes:
        request: The request, encoded.
        outcome: Type of the response, or the kind of failure.
        digest: sha256 of the response's canonical JSON, as delivered.
        cost: Simulated seconds.
    """

    request: Mapping[str, Any]
    call: Call
    outcome: str
    digest: str
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class FaultEvent:
    """One firing of a fault: what it was, where, and what it put in the place of what. Never shown to a policy.

    Attributes:
        fault: Name of the fault.
        kind: `loud`, `silent`, `interface` or `content`.
        step: Index of the step, from 0.
        key: Key of the request that was struck.
        unit: What was struck, as the draw was keyed.
        draw: The unit's draw, in [0, 1); it was struck because it is below the intensity.
        intensity: Of the fault, in [0, 1].
        raw: sha256 of the response as it was; empty where the fault did not ask for it.
        delivered: sha256 of the response as the tool got it.
        truth: For content faults, what is true: claim, page, canary, by name.
        lie: For content faults, what was told instead.
    """

    fault: str
    kind: str
    step: int
    key: str
    unit: str
    draw: float
    intensity: float
    raw: str = ""
    delivered: str = ""
    truth: Mapping[str, str] = field(default_factory=dict)
    lie: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of an episode.

    Attributes:
        action: The policy's text.
        observation: What the world answered, as text.
        capabilities: Atomic capability of each call, in their order: `plan`, `seek`, `verify` or `report`.
        problems: Number of things that were wrong with the turn.
        exchanges: Requests that its tools made of the world, in their order.
        spending: Spent since the episode began, by field of `Spending`.
        struck: Messages of the conversation whose content context management has cut so far.
        dropped: Messages that it has left out so far.
    """

    action: str
    observation: str
    capabilities: tuple[str, ...] = ()
    problems: int = 0
    exchanges: tuple[Asked, ...] = ()
    spending: Mapping[str, float] = field(default_factory=dict)
    struck: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampled:
    """What a model read and sampled in one turn, for training: token ids as they were, never made again from text.

    A segment is a run of turns in which each prompt continues what stood before it. Where the prefix changes, because
    the conversation was trimmed or a template changed it, a new segment begins.

    Attributes:
        prompt_ids: Token ids that were new in the prompt; the whole prompt where a segment begins.
        token_ids: Token ids of the turn as they were sampled.
        logprobs: Log-probability, natural, of each of them in the distribution that it was drawn from.
        prefix: `murk.rollout.segments.prefix_of` the ids of the segment before `prompt_ids`; empty where one begins.
        version: Of the weights that sampled the turn.
        usage: What the turn cost by itself, by name.
    """

    prompt_ids: tuple[int, ...] = ()
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    prefix: str = ""
    version: int = 0
    usage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The complete record of one episode. The first six fields are what most rewards need.

    Attributes:
        task: Id of the task.
        status: `answered`, `truncated`, or `errored` where murk or the machine failed, which is never a score.
        answer: The final report; None where there is none.
        citations: Canonical URL of the page that each citation of the report means, in their order; None for one that
            means no page delivered.
        spending: What was spent, by field of `Spending`.
        budget: What might be spent, by field of `Budget`; fields without a limit are left out.
        id: Name of the episode, derived from seed, policy, storm, intensity, task and sample.
        policy: Name of the policy.
        sample: Index among the samples of the task.
        seed: Seed of the run.
        storm: Name of the set of faults.
        intensity: Its intensity, in [0, 1].
        question: What the policy read first.
        steps: The turns.
        pages: Pages delivered, as (canonical URL, sha256 of the text); the text is all that was delivered of it.
        commands: Shell commands as (request key, encoded response), for replay.
        events: Firings of faults.
        error: What broke in murk or the machine; None if nothing did.
        snapshot: Content digest of the snapshot.
        sampled: What a model sampled in each turn; empty for policies without one. Outside of the digest.
    """

    task: str
    status: str
    answer: str | None = None
    citations: tuple[str | None, ...] = ()
    spending: Mapping[str, float] = field(default_factory=dict)
    budget: Mapping[str, float] = field(default_factory=dict)
    id: str = ""
    policy: str = ""
    sample: int = 0
    seed: int = 0
    storm: str = "none"
    intensity: float = 0.0
    question: str = ""
    steps: tuple[Step, ...] = ()
    pages: tuple[tuple[str, str], ...] = ()
    commands: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    events: tuple[FaultEvent, ...] = ()
    error: str | None = None
    snapshot: str = ""
    sampled: tuple[Sampled, ...] = ()


class World(Protocol):
    """Whatever answers requests: a snapshot, a recording, the live web, or any of them behind faults."""

    def answer(self, request: Request, call: Call) -> Response:
        """Answers one request; trouble of the simulated web is returned as a `Failure`, never raised."""
        ...


def not_here(request: Request) -> Failure:
    """What a world answers to a kind of request that is not its own."""
    return Failure("bad_request", 400, f"a {type(request).__name__} is not answered here")


_TYPES: dict[str, type] = {t.__name__: t for t in (*get_args(Request), *get_args(Response), Call, Trajectory)}


def decode(data: Mapping[str, Any]) -> Any:
    """Turns what `codec.encode` made of a record that travels back into it.

    Raises:
        ValueError: the data is not a known record, or a field is missing, unknown or of the wrong type.
    """
    kind = _TYPES.get(str(data.get("type"))) if isinstance(data, Mapping) else None
    if kind is None:
        raise ValueError(f"not a record: {str(data)[:80]}")
    return build(kind, {name: value for name, value in data.items() if name != "type"})
