"""Text in the place of an answer that was meant as a call, as models write it that were trained on another format.

Where a turn without calls is the answer, such a text would end the episode as its report.
"""

import re

from murk.envs.dialects.loose_json import read_json

_LONGEST = 20_000
# Tags of calls as other formats have them, as regular expressions.
TAGS = ("tool_?calls?", "function_?calls?", r"function=[\w.-]+", r"invoke\s+name=[^<>]*")
# Such a tag and the JSON behind it, or one that names its tool. One with a backslash after its < is plain text.
_CALLED = re.compile(rf"<\s*+(?:(?:{TAGS[0]}|{TAGS[1]})\s*+>\s*+[{{\[]|{TAGS[2]}\s*+>|{TAGS[3]}>)", re.IGNORECASE)
_CALL = ({"name", "arguments"}, {"name", "parameters"}, {"function"}, {"tool_calls"})
_KEYS = {"name", "arguments", "parameters", "id", "type", "function", "tool_calls", "role", "content"}


def like_a_call(text: str) -> bool:
    """Whether a text has a call in tags, or is the JSON of one.

    >>> like_a_call('<tool_calls>[]'), like_a_call('{"name": "find", "arguments": {}}'), like_a_call('{"year": 1890}')
    (True, True, False)
    """
    return _CALLED.search(text) is not None or _is_call(text.strip())


def _is_call(text: str) -> bool:
    if not text.startswith(("{", "[", "```")) or len(text) > _LONGEST:
        return False
    try:
        value = read_json(text)
    except ValueError:
        return False
    calls = value if isinstance(value, list) and value else [value]
    return all(
        isinstance(call, dict)
        and call.keys() <= _KEYS
        and any(keys <= call.keys() for keys in _CALL)
        and isinstance(call.get("function", {}), dict)
        and isinstance(call.get("tool_calls", []), list)
        for call in calls
    )
