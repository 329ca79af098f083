"""The Ray cluster of a run: one that is there, or one begun on this machine and ended with the run."""

import logging
import math
import os
import signal
import socket
import threading
from typing import Any

import ray

from murk.envs.errors import UsageError
from murk.rollout.build import Crew

STORE_BYTES = 256 << 20
QUIET = {"task_events_report_interval_ms": 0}  # nobody looks at a list of all calls that were ever made
PROBE = 10.0  # seconds for a connection to a cluster's head; Ray itself tries for minutes


def connect(crew: Crew) -> bool:
    """Connects to the cluster at the crew's address, or begins one on this machine; whether it was connected here.

    Raises:
        UsageError: there is no cluster at the address, it cannot be begun, or no worker would find a place in it.
    """
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if crew.address is None:
        cores = max(os.cpu_count() or 1, math.ceil((crew.actors or crew.per_host or 1) * crew.cpus))
        # "local", or else it would join any cluster that it finds here
        settings |= {"address": "local", "num_cpus": cores, "include_dashboard": False}
        settings |= {"object_store_memory": STORE_BYTES, "_system_config": QUIET}
    else:
        _probe(crew.address)
        settings["address"] = crew.address
    try:
        _init(**settings)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        where = "on this machine" if crew.address is None else f"at the address {crew.address!r}"
        raise UsageError(f"no Ray cluster {where}: {' '.join(str(error).split())[:300]}.") from None
    if crew.address is None and crew.gpus > (cards := ray.cluster_resources().get("GPU", 0)):
        ray.shutdown()
        raise UsageError(f"rollout.gpus is {crew.gpus:g}, but Ray finds {cards:g} graphics cards on this machine.")
    return True


def _probe(address: str) -> None:
    """Raises `UsageError` where nothing listens at HOST:PORT."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or "/" in host:
        return  # a name, as `auto`, which Ray knows how to find
    try:
        socket.create_connection((host.strip("[]"), int(port)), PROBE).close()
    except (OSError, OverflowError) as error:
        raise UsageError(f"no Ray cluster answers at the address {address!r}: {error}.") from None


def _init(**settings: Any) -> None:
    """`ray.init`, which leaves what SIGTERM does as it was: Ray's own handler ends with a wrong status."""
    handler = signal.getsignal(signal.SIGTERM)
    ray.init(**settings)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)
