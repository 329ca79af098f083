"""Wrappers around a research environment."""

import math
from typing import Any

import gymnasium

from murk.envs.errors import SnapshotError, UsageError


class ReportErrors(gymnasium.Wrapper[str, str, str, str], gymnasium.utils.RecordConstructorArgs):
    """Reports a bug or a failure of the machine within a step in place of raising it, so that one broken episode does
    not end those beside it: `gymnasium.make_vec(..., wrappers=[ReportErrors])`.

    The step then gives an empty observation, the reward NaN (never 0, which would be a score), `truncated`, and an info
    with `status` `errored` and `error`, the type and message of what was raised. The next episode begins with a reset.
    What the caller did wrong, such as a step after the end of an episode, is raised as ever.
    """

    def __init__(self, env: gymnasium.Env[str, str]) -> None:
        gymnasium.utils.RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        try:
            observation, reward, terminated, truncated, info = super().step(action)
        except Exception as error:
            caller = isinstance(error, UsageError | gymnasium.error.Error) and not isinstance(error, SnapshotError)
            if caller:
                raise
            told = f"{type(error).__name__}: {str(error)[:500]}"
            return "", math.nan, False, True, {"status": "errored", "error": told}
        return observation, float(reward), terminated, truncated, info
