"""`file`: reads and edits files of the workspace, with patch edits (Step-DeepResearch, arXiv 2512.20491)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from murk.envs.desk import Desk
from murk.envs.records import Failure, FileOp, Text

_WRITING = ("write", "append", "patch")


@dataclass(frozen=True, slots=True)
class FileTool:
    """Works on files. `patch` tells whether patch edits are offered; False for an ablation."""

    patch: bool = True

    instant = True

    @property
    def description(self) -> str:
        text = "Work on files of your workspace: read (from offset, at most limit bytes), write, append, list, stat"
        return text + (", or patch: replace the one place that anchor occurs at by content." if self.patch else ".")

    @property
    def parameters(self) -> Mapping[str, Any]:
        actions = ["read", "write", "append", "list", "stat"] + ["patch"] * self.patch
        size = {"type": "integer", "minimum": 0, "maximum": 1 << 30}
        rules: dict[str, Any] = {
            "action": {"type": "string", "enum": actions, "description": "what to do"},
            "path": {"type": "string", "default": ".", "description": "file or folder"},
            "content": {"type": "string", "description": "text to write, append or put in"},
            "encoding": {"type": "string", "enum": ["utf-8"], "default": "utf-8", "description": "only utf-8"},
            "offset": size | {"default": 0, "description": "byte to read from"},
            "limit": size | {"minimum": 1, "default": 12_000, "description": "bytes to read at most"},
        }
        if self.patch:
            rules["anchor"] = {"type": "string", "default": "", "description": "short text that occurs once"}
        return {"type": "object", "properties": rules, "required": ["action"]}

    def capability(self, arguments: Mapping[str, Any]) -> str:
        return "report" if arguments.get("action") in _WRITING else "verify"

    def run(self, arguments: Mapping[str, Any], desk: Desk) -> str:
        action, content = arguments["action"], arguments.get("content")
        if content is None and action in _WRITING:
            return f"Error: {action} needs content, a text; nothing was changed."
        answer = desk.ask(
            FileOp(
                action,
                arguments["path"],
                content or "",
                arguments.get("anchor", ""),
                arguments["offset"],
                min(arguments["limit"], desk.workspace.file_bytes),
            )
        )
        if isinstance(answer, Failure):
            return f"Error: {answer.message}"
        assert isinstance(answer, Text)
        return answer.text
