"""murk's episodes, by the pool that `murk rollout` uses, kept in a run's folder as there.

`python -m rollout_peers.murk_pool SNAPSHOT TASKS EPISODES SLOTS OUT SECONDS SETTING...`: the settings are those of
`rollout`, and the model takes so many seconds a turn. The last episodes, as many as there are slots, only keep all of
them busy to the end. Then a bare Ray actor is begun as well, if the pool is Ray's.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

from rollout_peers.work import TURNS, WARM_UP, tell_and_wait

from murk.rollout.backlog import Backlog
from murk.rollout.build import Episode, compose, crew, plan
from murk.rollout.drive import Pool, open_pool
from murk.rollout.run import begin, locked


def main(folder: str, tasks: str, episodes: str, slots: str, out: str, seconds: str, *settings: str) -> None:
    shape = [f"world={folder}", f"tasks={tasks}", f"episodes={episodes}", f"out={out}", "reward=none"]
    made = plan(compose([*shape, "policy=[]", f"+policy.slow_model.seconds={seconds}", *settings]))
    begin(made, Path(out))
    how = crew(made.config["rollout"])
    backlog = Backlog(how.retries)
    with ExitStack() as stack:
        stack.enter_context(locked(Path(out)))
        pool = open_pool(made, Path(out), how, backlog)
        stack.callback(pool.close)
        workers = _warm_up(pool, backlog, made.episodes[:WARM_UP], (how.actors or 1) if how.kind == "ray" else 1)
        tell_and_wait({"workers": workers if how.kind == "ray" else []})
        began = perf_counter()
        for episode in made.episodes[WARM_UP:]:
            backlog.add([episode])
        _ended(pool, len(made.episodes) - WARM_UP - int(slots))
        tell_and_wait({"seconds": perf_counter() - began})
        if how.kind == "ray":
            actor = _bare_actor()
            tell_and_wait({"bare": _process(actor)})


def _warm_up(pool: Pool, backlog: Backlog, episodes: Sequence[Episode], count: int) -> list[int]:
    """Runs the episodes, again and again until all workers have begun; the workers' processes."""
    workers: set[str] = set()
    while len(workers) < count:
        for episode in episodes:
            backlog.add([episode])
        workers |= _ended(pool, len(episodes))
    return [int(worker.rpartition("-")[2] or 0) for worker in sorted(workers)]


def _ended(pool: Pool, count: int) -> set[str]:
    """Waits for so many episodes, all of which have to end as they should; the names of their workers."""
    workers: set[str] = set()
    while count > 0:
        for one in pool.advance():
            assert (one.status, one.steps) == ("answered", TURNS), one
            workers.add(one.worker)
            count -= 1
    return workers


def _bare_actor() -> Any:
    """A Ray actor that does nothing."""
    import ray

    class Bare:
        def process(self) -> int:
            return os.getpid()

    return ray.remote(num_cpus=0)(Bare).remote()


def _process(actor: Any) -> int:
    import ray

    return int(ray.get(actor.process.remote()))


if __name__ == "__main__":
    main(*sys.argv[1:])
