"""`wait`: lets simulated time pass, for example until a rate limit ends."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from murk.envs.desk import Desk
from murk.envs.settings import check_range


@dataclass(frozen=True, slots=True)
class WaitTool:
    """Waits at most `longest` simulated seconds a call."""

    longest: float = 3_600.0

    def __post_init__(self) -> None:
        check_range("longest", self.longest, 0, 1e9)

    instant = True
    description = "Let simulated time pass, for example until a site may be asked again."

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {
            "type": "object",
            "properties": {
                "seconds": {"type": "number", "minimum": 0, "maximum": self.longest, "description": "how long"}
            },
            "required": ["seconds"],
        }

    def capability(self, arguments: Mapping[str, Any]) -> str:
        return "seek"

    def run(self, arguments: Mapping[str, Any], desk: Desk) -> str:
        desk.wait(float(arguments["seconds"]))
        return f"waited {arguments['seconds']:g} s; it is {desk.spent.seconds:g} s since the beginning"
