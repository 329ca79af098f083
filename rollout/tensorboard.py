"""The figures of a run for TensorBoard, by the count of episodes."""

import time
from pathlib import Path
from typing import Any

from murk.envs.errors import UsageError
from murk.rollout.tally import Tally, caches


class Board:
    """Writes event files into `tensorboard/` of a run's folder.

    The writer beneath tensorboardX's `SummaryWriter` is used, because that one hands its events to a thread, which
    ends at the first full disk and then blocks whoever adds more.

    Raises:
        UsageError: tensorboardX is not installed.
    """

    every = 10.0

    def __init__(self, folder: Path) -> None:
        try:
            import tensorboardX.event_file_writer as _  # noqa: F401 - told before the run, used in it
        except ImportError:
            raise UsageError(
                "tensorboard needs the package tensorboardX: pip install 'murk-gym[tensorboard]'."
            ) from None
        self._folder = folder / "tensorboard"
        self._writer: Any = None

    def write(self, tally: Tally) -> None:
        """Writes one point of each curve, once an episode has ended; raises OSError where that fails."""
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        if not tally.episodes:
            return
        if self._writer is None:
            self._folder.mkdir(exist_ok=True)
            self._writer = EventsWriter(str(self._folder / "events"))
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars(tally).items()]
        # TensorBoard's axis of time is the wall clock's; nothing else of murk reads these files.
        self._writer.write_event(Event(wall_time=time.time(), step=tally.done, summary=Summary(value=values)))
        self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        if self._writer is not None:
            self._writer.close()


def scalars(tally: Tally) -> dict[str, float]:
    """A point of each curve by its name."""
    rates, load = tally.recent(), tally.load
    points: dict[str, float] = {f"rate/{name}_per_second": value for name, value in rates._asdict().items()}
    points |= {"load/queued": load.queued, "load/running": load.running, "load/workers": load.workers}
    points |= {"trouble/errors": tally.errors, "trouble/retried": tally.retried}
    for name, cache in caches(tally.sums).items():
        if cache["rate"] is not None:
            points[f"cache/{name}"] = cache["rate"]
    for policy, storm, intensity in sorted(tally.groups):
        mean = tally.groups[policy, storm, intensity].mean
        if mean is not None:
            points[f"reward/{policy}/{storm or 'none'}/{intensity:g}"] = mean
    return points
