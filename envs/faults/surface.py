"""How an HTTP client shows that a request failed: status lines, headers and bodies, in one of several forms by draw."""

import json
from collections.abc import Mapping, Sequence

from murk.envs.faults import Draw
from murk.envs.faults.rule import place_of
from murk.envs.records import Links, Open, Request

REASONS: Mapping[int, str] = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    410: "Gone",
    429: "Too Many Requests",
    451: "Unavailable For Legal Reasons",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
FORMS = ("plain", "head", "json", "html")
_SERVERS = (
    "nginx",
    "nginx/1.24.0",
    "Apache",
    "Apache/2.4.58 (Ubuntu)",
    "openresty",
    "envoy",
    "Caddy",
    "lighttpd/1.4.71",
)
_VERSIONS = ("HTTP/1.1", "HTTP/2")
_TAILS = (
    "",
    "<hr><address>{server}</address>",
    "<p>Reference: {ticket}</p>",
    "<p><small>{host} &middot; {server}</small></p>",
)


def who(request: Request) -> str:
    """Who should have answered, as an error names it."""
    if isinstance(request, Open | Links):
        return place_of(request.url)[0] or "the host"
    return "the search service"


def ticket(draw: Draw) -> str:
    """A number as servers give to a failed request."""
    return f"{draw.bits('ticket'):016x}"


def http_error(
    request: Request,
    draw: Draw,
    status: int,
    sayings: Sequence[str],
    headers: Mapping[str, str] | None = None,
    forms: Sequence[str] = FORMS,
) -> str:
    """What a client shows of a response with an error status.

    Args:
        sayings: What a server may say of it, one of which is drawn; `{host}` stands for who says it.
        headers: Headers that matter.
        forms: Of `FORMS`: the reason alone, with headers, with a JSON body, or with a page as body.
    """
    reason, form = REASONS[status], draw.pick(forms, "form")
    said = draw.pick(sayings, "saying").format(host=who(request))
    if form == "plain":
        return f"{reason}: {said}"
    server = draw.pick(_SERVERS, "server")
    kinds = {"head": "text/plain", "json": "application/json", "html": "text/html; charset=utf-8"}
    lines = [
        f"{draw.pick(_VERSIONS, 'version')} {status} {reason}",
        f"Server: {server}",
        f"Content-Type: {kinds[form]}",
    ]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    body = said
    if form == "json":
        body = _json(draw, status, reason, said)
    if form == "html":
        tail = draw.pick(_TAILS, "tail").format(server=server, ticket=ticket(draw), host=who(request))
        body = page(draw, f"{status} {reason}", said, tail)
    return "\n".join([*lines, "", body])


def page(draw: Draw, title: str, said: str, tail: str = "") -> str:
    """An error page."""
    start = draw.pick(("<!DOCTYPE html><html>", "<html>", '<!doctype html><html lang="en">'), "start")
    head = draw.pick(("<center><h1>{}</h1></center>", "<h1>{}</h1>", "<h2>{}</h2>"), "heading").format(title)
    return f"{start}<head><title>{title}</title></head><body>{head}<p>{said}</p>{tail}</body></html>"


def _json(draw: Draw, status: int, reason: str, said: str) -> str:
    shapes = (
        {"error": {"code": status, "message": said}},
        {"error": reason.lower().replace(" ", "_"), "detail": said},
        {"status": status, "title": reason, "detail": said, "instance": ticket(draw)},
        {"message": said, "request_id": ticket(draw)},
    )
    return json.dumps(draw.pick(shapes, "shape"))
