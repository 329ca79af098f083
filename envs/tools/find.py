"""`find`: where a text occurs within a page or a file, with the words around it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from murk.envs.desk import Desk
from murk.envs.records import Failure, FileOp, Open, Page, Text
from murk.envs.settings import check_range

MAX_PATTERN = 500


@dataclass(frozen=True, slots=True)
class FindTool:
    """Looks for a text. `around` is the characters shown on each side, from 0, `most` the places shown, from 1."""

    around: int = 150
    most: int = 20

    def __post_init__(self) -> None:
        check_range("around", self.around, 0)
        check_range("most", self.most, 1)

    instant = True
    description = "Find where a text occurs in a page (url) or in a file of the workspace (path); case is ignored."

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {
            "type": "object",
            "properties": {
                "text": {"type": "string", "description": "what to look for"},
                "url": {"type": "string", "description": "the page to look in"},
                "path": {"type": "string", "description": "the file to look in"},
                "at": {"type": "string", "description": "the page as it was at this date, YYYY-MM-DD"},
            },
            "required": ["text"],
        }

    def capability(self, arguments: Mapping[str, Any]) -> str:
        return "verify"

    def run(self, arguments: Mapping[str, Any], desk: Desk) -> str:
        wanted = " ".join(arguments["text"].split())
        if not wanted or len(wanted) > MAX_PATTERN:
            return f"Error: text has {len(wanted)} characters; allowed are 1 to {MAX_PATTERN}."
        if ("url" in arguments) == ("path" in arguments):
            return "Error: give either url or path."
        if "url" in arguments:
            answer = desk.ask(Open(arguments["url"], arguments.get("at")))
        else:
            answer = desk.ask(FileOp("read", arguments["path"], limit=desk.workspace.file_bytes))
        if isinstance(answer, Failure):
            return f"Error: {answer.status or answer.kind} {answer.message}"
        assert isinstance(answer, Page | Text)
        return self._places(" ".join(answer.text.split()), wanted)

    def _places(self, text: str, wanted: str) -> str:
        low, needle = text.lower(), wanted.lower()
        count = low.count(needle)
        if len(low) != len(text):  # a few letters change their length in lower case; then case counts
            low, needle, count = text, wanted, text.count(wanted)
        lines = [f"{count} places of {wanted!r}" + (f", the first {self.most}" if count > self.most else "")]
        at = low.find(needle)
        while at >= 0 and len(lines) <= self.most:
            lines.append(f"- ...{text[max(0, at - self.around) : at + len(needle) + self.around]}...")
            at = low.find(needle, at + len(needle))
        return "\n".join(lines)
