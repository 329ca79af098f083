"""A conversation as token ids that only grow: what was sampled stays as it was, and only new text is tokenised.

The prompt is rendered by the chat template of the tokenizer. Where the new rendering begins with the old one and what
was sampled after it, the text that follows is tokenised and appended. Where it does not, because a template leaves
thoughts out or trims white space, or the conversation was cut, a new *segment* begins with all of the rendering.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from murk.envs.context import Message, Trimming, View
from murk.envs.errors import UsageError
from murk.rollout.segments import prefix_of

_PROBE = "murk-probe"


class ChatFormat:
    """A tokenizer's way to write a chat. A role that its template refuses or leaves out is written as the user's.

    Args:
        tokenizer: Of `transformers`.
        ends: Tokens that end a turn.

    Raises:
        UsageError: it has no chat template, or its template cannot write a plain chat.
    """

    def __init__(self, tokenizer: Any, ends: frozenset[int]) -> None:
        if not tokenizer.chat_template:
            raise UsageError("the tokenizer has no chat template; a policy needs a model for chats.")
        self._tokenizer, self.ends = tokenizer, ends
        self._special = [str(token) for token in tokenizer.added_tokens_decoder.values() if token.special]
        question, turn = Message("user", _PROBE), Message("assistant", "a")
        if not self._writes(question, turn, question):
            raise UsageError("the chat template of the tokenizer cannot write a plain chat.")
        self._system = self._writes(Message("system", _PROBE), Message("user", "q"))
        self._tool = self._writes(Message("user", "q"), turn, Message("tool", _PROBE))

    def render(self, system: str, messages: Sequence[Message]) -> str:
        """The prompt's text. A special token spelled out by a tool or the user is quoted with a backslash."""
        chat = [
            Message(one.role if one.role != "tool" or self._tool else "user", self._quoted(one)) for one in messages
        ]
        if self._system:
            chat.insert(0, Message("system", system))
        elif chat:
            chat[0] = Message(chat[0].role, f"{system}\n\n{chat[0].content}")
        return self._apply(chat)

    def tokens(self, text: str) -> list[int]:
        """Token ids of some text, special tokens among them."""
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def text(self, ids: Sequence[int]) -> str:
        """What token ids say, special tokens spelled out."""
        said: str = self._tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return said

    def _quoted(self, message: Message) -> str:
        content = message.content
        if message.role != "assistant":
            for token in self._special:
                content = content.replace(token, f"{token[0]}\\{token[1:]}")
        return content

    def _writes(self, *messages: Message) -> bool:
        """Whether the template writes a chat with all that is to be looked for in it."""
        try:
            text = self._apply(messages)
        except Exception:  # what a template raises is its own affair
            return False
        return text.count(_PROBE) == sum(message.content == _PROBE for message in messages)

    def _apply(self, messages: Sequence[Message]) -> str:
        chat = [{"role": message.role, "content": message.content} for message in messages]
        text: str = self._tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        return text


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model reads before a turn.

    Attributes:
        ids: All token ids.
        new: How many of them, at the end, are new in their segment.
        cut: Messages whose content was cut or left out to fit, and 1 more where the prompt lost its middle.
    """

    ids: tuple[int, ...]
    new: int
    cut: int

    @property
    def prefix(self) -> str:
        """`prefix_of` the ids before the new ones; empty where a segment begins."""
        return prefix_of(self.ids[: -self.new]) if self.new < len(self.ids) else ""


class TokenChat:
    """The conversation of one episode.

    A prompt that does not fit loses the content of its oldest tool results, then its oldest turns, until a quarter of
    the room is free, and what was cut stays cut; a prompt that is still too long loses its middle.

    Args:
        chat: How chats are written.
        system: The system prompt.
        room: Most tokens of a prompt.
    """

    def __init__(self, chat: ChatFormat, system: str, room: int) -> None:
        self._format, self._system, self._room = chat, system, room
        self._ids: list[int] = []  # of the segment up to the last turn, and what they say
        self._text = ""
        self._next: tuple[list[int], str] = ([], "")
        self._history: list[Message] = []
        self._view = View(())

    def prompt(self, conversation: Sequence[Mapping[str, str]]) -> Prompt:
        """The prompt for the next turn."""
        history = [Message(message["role"], message["content"]) for message in conversation]
        if history[: len(self._history)] != self._history:
            self._view = View(())
        self._history = history
        view = self._view
        shown = (*view.messages, *history[len(view.messages) + len(view.dropped) :])
        ids, new, text = self._read(shown)
        if len(ids) > self._room:
            self._trim(shown, len(ids) - self._room)
            ids, new, text = self._read(self._view.messages)
        cut = len(self._view.struck) + len(self._view.dropped)
        if len(ids) > self._room:
            head = self._room // 2
            ids = ids[:head] + ids[head - self._room :]
            new, cut, text = self._room, cut + 1, ""
        self._next = ids, text
        return Prompt(tuple(ids), new, cut)

    def sampled(self, ids: Sequence[int]) -> str:
        """Takes in the turn that was sampled after the last prompt; its text, without the token that ends it."""
        ended = bool(ids) and ids[-1] in self._format.ends
        said = self._format.text(ids[:-1] if ended else ids)
        before, text = self._next
        self._ids = [*before, *ids]
        self._text = text and text + said + (self._format.text(ids[-1:]) if ended else "")
        return said

    def _read(self, messages: Sequence[Message]) -> tuple[list[int], int, str]:
        """The ids of a prompt, how many of them are new, and its text."""
        text = self._format.render(self._system, messages)
        if self._text and text.startswith(self._text) and (new := self._format.tokens(text[len(self._text) :])):
            return self._ids + new, len(new), text
        ids = self._format.tokens(text)
        return ids, len(ids), text

    def _trim(self, shown: Sequence[Message], excess: int) -> None:
        """Cuts the view by the excess and a quarter of the room, in tokens, as far as whole messages can be cut."""
        sizes = {message.content: len(self._format.tokens(message.content)) for message in shown}
        lower = max(1, sum(sizes[message.content] for message in shown) - excess - self._room // 4)
        count = lambda text: sizes.get(text) or len(self._format.tokens(text))  # noqa: E731
        self._view = Trimming(lower + 1, lower).view(self._history, self._view, count, added=lower + 2)
