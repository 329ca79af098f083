"""The backlog: order, retries, and who is blamed for dead workers."""

from murk.rollout.backlog import Backlog, Flight
from murk.rollout.build import Episode
from murk.rollout.outcome import Outcome


def episode(name: str) -> Episode:
    return Episode(name, "policy", f"task {name}", 0, 0.0)


def ids(flights: list[Flight]) -> list[str]:
    return [flight.episode.id for flight in flights]


def test_groups_stay_together_and_the_urgent_come_first() -> None:
    backlog = Backlog()
    backlog.add([episode("a"), episode("b")])
    backlog.add([episode("c")], priority=1)
    backlog.add([episode("d")], priority=-1)
    assert len(backlog) == 4
    assert [ids(backlog.take(idle=False)[0]) for _ in range(4)] == [["d"], ["a", "b"], ["c"], []]


def test_what_was_never_begun_comes_back_first_and_does_not_count() -> None:
    backlog = Backlog()
    backlog.add([episode("a"), episode("b")])
    backlog.add([episode("c")])
    flights, _ = backlog.take(idle=True)
    backlog.put_back(flights[1:])
    again, _ = backlog.take(idle=False)
    assert (ids(again), again[0].attempts) == (["b"], 1)


def test_an_error_is_run_again_a_bounded_number_of_times() -> None:
    backlog = Backlog(retries=2)
    backlog.add([episode("a")])
    ends = []
    for _ in range(3):
        (flight,), _ = backlog.take(idle=False)
        ends.append(backlog.ended(flight, Outcome(flight.episode, "errored")))
    assert ends == [False, False, True]
    assert (len(backlog), backlog.retried) == (0, 2)


def test_deaths_do_not_use_up_the_retries_of_errors() -> None:
    backlog = Backlog(retries=2)
    backlog.add([episode("a")])
    (flight,), _ = backlog.take(idle=True)
    backlog.died([flight, flight], alone=False)
    (flight,), _ = backlog.take(idle=True)
    assert not backlog.ended(flight, Outcome(flight.episode, "errored"))


def test_only_what_kills_a_worker_alone_is_given_up() -> None:
    backlog = Backlog(retries=1)
    backlog.add([episode("poison"), episode("neighbour")])
    flights, alone = backlog.take(idle=True)
    assert not alone
    assert backlog.died(flights, alone=False) == []  # nobody knows yet which of the two it was
    assert backlog.take(idle=False) == ([], False)  # suspects get an idle worker for themselves
    seen: list[Outcome] = []
    for _ in range(3):
        (flight,), alone = backlog.take(idle=True)
        assert alone
        assert not seen, "one worker may die by chance"
        if flight.episode.id == "poison":
            seen += backlog.died([flight], alone=True)
        else:
            assert backlog.ended(flight, Outcome(flight.episode, "answered"))
    (end,) = seen
    assert (end.status, end.attempts) == ("errored", 3)
    assert end.error is not None
    assert "nothing else" in end.error
    assert len(backlog) == 0
