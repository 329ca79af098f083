"""What may go wrong, and who is told.

murk has three channels for trouble, and never mixes them:

1. *Told to the agent.* What the agent did wrong, or what the world refused, is an observation: a `Failure` response
   or a line of text. An agent's output never raises.
2. *Recorded on the trajectory.* What broke in murk or in the machine is raised by the environment and recorded by
   the runner as an errored episode. It is never scored.
3. *Raised at construction.* A wrong configuration, file or snapshot raises one of the errors below, before anything
   runs. The message tells what was wrong, the value, what is allowed, and the nearest right name.

Errors of the third kind that a person caused derive from `UsageError`: the command line prints them as one line and
exits with status 2.
"""

import difflib
from collections.abc import Iterable


class MurkError(Exception):
    """Base class of all errors that murk raises on purpose."""


class UsageError(MurkError):
    """The caller asked for something that cannot be: a wrong option, file, name or value."""


class UnknownName(UsageError):
    """A name that is not registered or not defined; the message lists what is, the nearest name first."""

    def __init__(self, kind: str, name: str, allowed: Iterable[str]) -> None:
        names = sorted(allowed)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(f"unknown {kind} {name!r}.{hint} Known: {', '.join(names) or 'none'}.")


class RunStopped(MurkError):
    """The machinery of a run cannot go on, as when the disk is full; what was finished is kept, and can be resumed."""


class SnapshotError(UsageError):
    """A snapshot that is missing, foreign, incomplete or damaged; the message names the file."""


class NotInSnapshot(MurkError, LookupError):
    """The snapshot holds no capture of the page asked for."""


class ReplayDiverged(MurkError):
    """A replay asks for something else than was recorded: the code, the actions or the record have changed."""
