"""Threads for blocking calls."""

import asyncio
import threading
import time

import pytest

from murk.rollout.threads import Hung, Threads


def test_no_more_threads_than_asked_for_and_results_in_place() -> None:
    seen: set[int] = set()

    def work(number: int) -> int:
        seen.add(threading.get_ident())
        time.sleep(0.01)
        return number * number

    async def main() -> list[int]:
        threads = Threads(3)
        found = await asyncio.gather(*(threads.run(work, number) for number in range(12)))
        threads.close()
        return found

    assert asyncio.run(main()) == [number * number for number in range(12)]
    assert len(seen) == 3


def test_an_exception_reaches_the_caller() -> None:
    async def main() -> None:
        threads = Threads(1)
        with pytest.raises(ZeroDivisionError):
            await threads.run(lambda: 1 // 0)
        assert await threads.run(lambda: "and it goes on") == "and it goes on"
        threads.close()

    asyncio.run(main())


def test_a_call_that_hangs_is_given_up_and_its_place_filled() -> None:
    release = threading.Event()

    async def main() -> None:
        threads = Threads(1, patience=0.2)
        hanging = asyncio.create_task(threads.run(release.wait))
        behind = asyncio.create_task(threads.run(lambda: "behind it"))
        with pytest.raises(Hung, match=r"0\.2 seconds"):
            await hanging
        assert await asyncio.wait_for(behind, 5) == "behind it"
        assert await asyncio.wait_for(threads.run(lambda: "after it"), 5) == "after it"
        assert threads.lost == 1
        threads.close()

    try:
        asyncio.run(main())
    finally:
        release.set()


@pytest.mark.parametrize("error", [StopIteration, SystemExit])
def test_an_exception_that_would_end_the_loop_is_an_ordinary_one(error: type[BaseException]) -> None:
    def work() -> None:
        raise error("from a tool")

    async def main() -> None:
        threads = Threads(1)
        with pytest.raises(RuntimeError, match="from a tool"):
            await asyncio.wait_for(threads.run(work), 5)
        threads.close()

    asyncio.run(main())


def test_a_queued_call_is_not_blamed_for_waiting() -> None:
    async def main() -> list[str]:
        threads = Threads(1, patience=0.5)
        calls = [threads.run(lambda: time.sleep(0.2) or "done") for _ in range(5)]  # type: ignore[func-returns-value]
        found = await asyncio.gather(*calls)
        threads.close()
        return found

    assert asyncio.run(main()) == ["done"] * 5
