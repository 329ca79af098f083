"""A conversation for people: as plain text, or in colour on a terminal."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from murk.envs.context import Message

COLOURS: Mapping[str, str] = MappingProxyType({"user": "bold green", "assistant": "cyan", "tool": "white"})


def transcript(messages: Iterable[Message]) -> str:
    """The messages as text, each below its role."""
    return "\n\n".join(f"--- {message.role}\n{message.content}" for message in messages)


def show(messages: Iterable[Message]) -> None:
    """Prints messages in colour."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for message in messages:
        console.rule(message.role, style=COLOURS[message.role])
        console.print(Text(message.content, style=COLOURS[message.role]))
