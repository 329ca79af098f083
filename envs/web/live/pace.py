"""How fast a host is asked."""

import threading
from collections.abc import Callable

_MANY = 10_000


class Pace:
    """Gives each host its own queue of turns, for any number of threads."""

    def __init__(self, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._sleep = sleep
        self._clock = clock
        self._free: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, host: str, delay: float) -> None:
        """Waits for the next turn of a host, and puts the turn after it `delay` seconds later."""
        with self._lock:
            now = self._clock()
            if len(self._free) > _MANY:
                self._free = {name: at for name, at in self._free.items() if at > now}
            at = max(now, self._free.get(host, now))
            self._free[host] = at + delay
        if at > now:
            self._sleep(at - now)
