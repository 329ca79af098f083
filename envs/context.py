"""What a policy sees of a long history: the two thresholds of Step-DeepResearch (arXiv 2512.20491, section 4).

When the conversation grows beyond the upper threshold, the contents of its oldest tool results are struck first, then
its oldest turns are left out, until it is below the lower one. The question and the newest turn always stay. Only the
view is cut, never the record: what is struck says so where it stood, and what is struck or left out is recorded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from murk.envs.budget import check_numbers
from murk.envs.errors import UsageError

STRUCK = "[the content of this result was left out to save space; ask again or read its file]"


class Message:
    """One message of the conversation.

    Args:
        role: `user` (the question), `assistant`, or `tool`.
        content: Its text, or the UTF-8 of it, which is half as large where one character is not Latin.
        tokens: Of the content, where they have been counted already.
    """

    __slots__ = ("_content", "role", "tokens")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, role: str, content: str | bytes, tokens: int | None = None) -> None:
        self.role, self._content, self.tokens = role, content, tokens

    @property
    def content(self) -> str:
        """Its text."""
        return self._content if isinstance(self._content, str) else self._content.decode()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and (self.role, self.content) == (other.role, other.content)

    def __repr__(self) -> str:
        return f"Message({self.role!r}, {self.content!r})"

    def counted(self, count: Callable[[str], int]) -> int:
        """Tokens of the content."""
        return count(self.content) if self.tokens is None else self.tokens


class Conversation(Sequence[dict[str, str]]):
    """Messages as a chat, `role` and `content` of each. A text is made when it is looked at, and held nowhere else."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages

    @overload
    def __getitem__(self, place: int) -> dict[str, str]: ...

    @overload
    def __getitem__(self, place: slice) -> list[dict[str, str]]: ...

    def __getitem__(self, place: int | slice) -> dict[str, str] | list[dict[str, str]]:
        if isinstance(place, slice):
            return [_chat(message) for message in self._messages[place]]
        return _chat(self._messages[place])

    def __len__(self) -> int:
        return len(self._messages)


def _chat(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.content}


@dataclass(frozen=True, slots=True)
class View:
    """A conversation as the policy sees it.

    Attributes:
        messages: What it sees.
        struck: Places in the whole conversation whose content is struck.
        dropped: Places in the whole conversation that are left out.
        tokens: Tokens of what it sees.
    """

    messages: tuple[Message, ...]
    struck: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Trimming:
    """The two thresholds, in tokens.

    Raises:
        UsageError: the lower one is not below the upper one.
    """

    upper: int = 80_000
    lower: int = 60_000

    def __post_init__(self) -> None:
        if not 0 < self.lower < self.upper:
            raise UsageError(f"thresholds are lower {self.lower} and upper {self.upper}; lower must be below upper.")

    @classmethod
    def of(cls, settings: Mapping[str, int]) -> "Trimming":
        """Thresholds from a mapping.

        Raises:
            UnknownName: there is no such threshold.
            UsageError: one is no number, or they are out of order.
        """
        check_numbers("threshold", settings, ("upper", "lower"))
        return cls(**settings)

    def view(
        self, history: Sequence[Message], before: View, count: Callable[[str], int], added: int | None = None
    ) -> View:
        """The conversation after more of it has happened.

        Args:
            history: All of it: the question first, then turns of `assistant` and `tool` in their order.
            before: The view until now; what it cut stays cut, so that the beginning of what a policy reads changes
                only when something new is cut.
            count: Tokens of a text.
            added: Tokens of the messages since, where they are known.
        """
        new = history[len(before.messages) + len(before.dropped) :]
        tokens = before.tokens + (sum(message.counted(count) for message in new) if added is None else added)
        if tokens <= self.upper:
            return View((*before.messages, *new), before.struck, before.dropped, tokens)
        return self._cut([*before.messages, *new], before, count)

    def _cut(self, messages: list[Message], before: View, count: Callable[[str], int]) -> View:
        """Cuts what is seen so far; what was cut before lies at its beginning, so only what is left is looked at."""
        sizes = [message.counted(count) for message in messages]
        total, little, last = sum(sizes), count(STRUCK), len(messages) - 2  # the newest turn and its result stay
        gone, struck = len(before.dropped), list(before.struck)
        for i in range(struck[-1] - gone + 1 if struck else 1, last):
            if total <= self.lower:
                break
            if messages[i].role == "tool" and sizes[i] > little:
                total -= sizes[i] - little
                messages[i], sizes[i] = Message("tool", STRUCK, little), little
                struck.append(i + gone)
        first = 1
        while first < last and (total > self.lower or messages[first].role != "assistant"):
            total -= sizes[first]
            first += 1
        dropped = (*before.dropped, *range(1 + gone, first + gone))
        left = tuple(i for i in struck if i >= first + gone)
        return View((messages[0], *messages[first:]), left, dropped, total)


class History:
    """All messages of an episode, and what the policy sees of them.

    Args:
        question: The first message.
        trimming: When and how much the view is cut; None to show all.
        count: Tokens of a text.

    Attributes:
        messages: The question, then a message of the assistant and one of the tools for each turn.
    """

    def __init__(self, question: Message, trimming: Trimming | None, count: Callable[[str], int]) -> None:
        self.messages = [question]
        self._trimming, self._count = trimming, count
        self._view, self._unseen = View((question,), tokens=question.counted(count)), 0

    def add(self, action: Message, observation: Message, tokens: int) -> None:
        """A turn of so many tokens has happened; where the view grows too large, it is cut."""
        self.messages += (action, observation)
        self._unseen += tokens
        if self._trimming is not None and self._view.tokens + self._unseen > self._trimming.upper:
            self._update()

    @property
    def view(self) -> View:
        """The conversation as the policy should see it, put together when it is asked for."""
        if len(self._view.messages) + len(self._view.dropped) < len(self.messages):
            self._update()
        return self._view

    @property
    def cut(self) -> tuple[int, int]:
        """How many messages are struck and how many left out so far."""
        return len(self._view.struck), len(self._view.dropped)

    def _update(self) -> None:
        if self._trimming is None:
            self._view = View(tuple(self.messages))
        else:
            self._view = self._trimming.view(self.messages, self._view, self._count, self._unseen)
        self._unseen = 0
