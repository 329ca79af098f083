"""`expired_key`: 401 for searches, because the key of the tool is not valid any more."""

from dataclasses import dataclass
from typing import ClassVar

from murk.envs.faults import Draw
from murk.envs.faults.surface import http_error
from murk.envs.records import Call, Failure, Request, Response, Search, World

_SAYINGS = (
    "The API key has expired.",
    "Invalid or expired credentials.",
    "This key is no longer active; ask the owner of the account for another.",
    "Access token past its end of validity.",
    "The subscription that belongs to this key has ended.",
)
_CHALLENGES = ('Bearer error="invalid_token"', 'Bearer realm="search"', 'ApiKey realm="v1"')


@dataclass(frozen=True, slots=True)
class ExpiredKey:
    """A shelf cannot be searched for want of a valid key."""

    family: ClassVar[str] = "loud"
    requests: ClassVar[tuple[type, ...]] = (Search,)
    schedule: ClassVar[str] = "sticky"

    def apply(self, request: Request, call: Call, inner: World, draw: Draw) -> Response:
        headers = {"WWW-Authenticate": draw.pick(_CHALLENGES, "challenge")}
        said = http_error(request, draw, 401, _SAYINGS, headers, forms=("plain", "head", "json"))
        return Failure("refused", 401, said, cost=draw.between(0.05, 0.5, "cost"))
