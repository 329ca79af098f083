"""A conversation for people: as plain text, or in colour on a terminal."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from murk.envs.context import Message
from murk.envs.utf8 import encodable

COLOURS: Mapping[str, str] = MappingProxyType({"user": "bold green", "assistant": "cyan", "tool": "white"})


# Lines and tabs stay; DEL has a picture of its own, and the controls beyond ASCII have none.
_PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
_PICTURES |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)


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
        console.print(Text(printable(message.content), style=COLOURS[message.role]))


def printable(text: str) -> str:
    """A text that a terminal shows and does not obey: control characters have become pictures of themselves.

    >>> printable("\\x1b[2J and \\ud800")
    '␛[2J and \ufffd'
    """
    return encodable(text.translate(_PICTURES))[0]
