"""Rules: when and where a fault may strike, and the units that its draws are keyed by."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from murk.envs.errors import UnknownName, UsageError
from murk.envs.faults import Fault
from murk.envs.records import Call, Links, Open, Request, Run, Search
from murk.envs.web.urls import dated, host_of, spellings

SCHEDULES = ("transient", "page", "sticky", "window", "episode")


@dataclass(frozen=True, slots=True)
class Rule:
    """When and where a fault may strike.

    Attributes:
        fault: What it does.
        intensity: Chance that a unit is struck, 0 to 1.
        schedule: What a unit is. `transient`: one attempt of one request, so that a retry meets another fate. `page`:
            a page, however its address is spelled and whether it is opened or its links are asked for; for other
            requests the request. `sticky`: the host for pages, the service and shelf for searches, the shell or the
            files for the rest, for the whole episode. `window`: the same for a slot of simulated time, so that waiting
            helps. `episode`: all of it.
        slot: Simulated seconds of a window, above 0.
        onset: Exchanges of its kind that are left alone at the beginning of the episode. Breaks nesting.
        at_most: How often it strikes in an episode; None for no limit. Breaks nesting.
        tools: Tools whose exchanges it may strike; empty for all.
        hosts: Patterns of hosts, as `*.gov`; empty for all. Searches have no host.
        shelves: Shelves of searches; empty for all.

    Raises:
        UsageError: a setting is out of range.
    """

    fault: Fault
    intensity: float = 1.0
    schedule: str = "transient"
    slot: float = 60.0
    onset: int = 0
    at_most: int | None = None
    tools: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    shelves: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _is_number(self.intensity) or not 0 <= self.intensity <= 1:
            raise UsageError(f"intensity is {self.intensity!r}; allowed are 0 to 1.")
        if self.schedule not in SCHEDULES:
            raise UnknownName("schedule", str(self.schedule), SCHEDULES)
        if not _is_number(self.slot) or not 0 < self.slot < 1e9:
            raise UsageError(f"slot is {self.slot!r}; allowed are seconds above 0.")
        for name, count in (("onset", self.onset), ("at_most", self.at_most or 0)):
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                raise UsageError(f"{name} is {count!r}; allowed are whole numbers from 0.")
        for name in ("tools", "hosts", "shelves"):
            names = getattr(self, name)
            if not isinstance(names, tuple) or not all(isinstance(item, str) for item in names):
                raise UsageError(f"{name} is {names!r}; allowed is a list of texts.")

    def aims_at(self, request: Request, call: Call) -> bool:
        """Whether an exchange is of the kind that it may strike."""
        if not isinstance(request, self.fault.requests) or (self.tools and call.tool not in self.tools):
            return False
        if self.shelves and not (isinstance(request, Search) and request.shelf in self.shelves):
            return False
        if not self.hosts:
            return True
        host = place_of(request.url)[0] if isinstance(request, Open | Links) else ""
        return any(fnmatchcase(host, pattern.lower()) for pattern in self.hosts)

    def unit(self, request: Request, call: Call) -> str:
        """The unit that an exchange belongs to."""
        if self.schedule == "transient":
            return f"{call.attempt} {request.key}"
        if self.schedule == "episode":
            return "episode"
        if self.schedule == "page":
            return f"page {place_of(request.url)[1]}" if isinstance(request, Open | Links) else request.key
        place = service(request)
        return place if self.schedule == "sticky" else f"{place} {int(call.now // self.slot)}"

    def until(self, call: Call) -> float | None:
        """The simulated second at which the unit of an exchange ends; None where waiting does not end it."""
        return (call.now // self.slot + 1) * self.slot if self.schedule == "window" else None


def service(request: Request) -> str:
    """Who answers a request: a host, the search service of a shelf, the shell, or the files."""
    if isinstance(request, Open | Links):
        return f"host {place_of(request.url)[0]}"
    if isinstance(request, Search):
        return f"search {request.shelf}"
    return "shell" if isinstance(request, Run) else "files"


@lru_cache(maxsize=4096)
def place_of(url: str) -> tuple[str, str]:
    """Host and page that an address means, one for all spellings that a world understands.

    >>> place_of("/web/2021/HTTP://Example.org/a/") == place_of("example.org/a") == ("example.org", "example.org/a")
    True
    """
    address = dated(url)[0]
    meant = spellings(address)
    return (host_of(meant[0]), meant[0].partition("://")[2].rstrip("/")) if meant else ("", address)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
