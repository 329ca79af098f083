"""A small world that answers every kind of request, for the tests of faults."""

import pytest

from murk.envs.records import (
    Call,
    Completed,
    Failure,
    FileOp,
    Hit,
    Hits,
    Link,
    LinkList,
    Links,
    Open,
    Page,
    Request,
    Response,
    Run,
    Search,
    Text,
    World,
)

DATES = ("2019-01-05", "2020-06-01", "2021-03-01T12:00:00Z")
NAMES = ("harbour", "lighthouse", "ferry", "council", "slate", "herring")
STORY = "Orrin Vale’s {name} opened in {year} – as the “Tessary” file says.\n\nIt cost 4,310 crowns, café included. "


class Town:
    """Pages by name on two hosts, each with three captures; nothing else is there."""

    def answer(self, request: Request, call: Call) -> Response:
        if isinstance(request, Search):
            return Hits(tuple(_hit(i, name) for i, name in enumerate(NAMES[: request.k])), 1.0)
        if isinstance(request, Run):
            return Completed(0, f"ran {request.command}\n" * 5, "", cost=0.5)
        if isinstance(request, FileOp):
            return Text(f"{request.action} {request.path}: as it should be", 0.1)
        name = request.url.rpartition("/")[2]
        if name not in NAMES:
            return Failure("not_found", 404, f"no capture of {request.url}", cost=0.5)
        url = _url(NAMES.index(name), name)
        if isinstance(request, Links):
            return LinkList(url, tuple(Link(_url(i, other), other, True) for i, other in enumerate(NAMES)), 0.5)
        assert isinstance(request, Open)
        date = next((date for date in reversed(DATES) if request.at is None or date[:10] <= request.at[:10]), DATES[0])
        text = "\n".join(STORY.format(name=name, year=f"18{i}{date[3]}") for i in range(10, 40))
        return Page(url, f"The {name}", text, date, DATES, 1.5)


def _url(number: int, name: str) -> str:
    return f"https://{'vale' if number % 2 else 'tessary'}.example/{name}"


def _hit(number: int, name: str) -> Hit:
    return Hit(_url(number, name), f"The {name}", f"about the {name}", DATES[number % 3], 90 - number, number % 4)


@pytest.fixture(scope="session")
def town() -> World:
    return Town()
