"""JSON in lines, with an indent. With an indent, `json` does not use its fast C code. So the lines
are made here, and `json` formats only the values. A file of its own, because most commands print no
JSON and must start fast."""

import json
from functools import lru_cache

_SCALARS = {str, int, float, bool, type(None)}


def indented_json(value: object, line: str = "\n", *, ascii_only: bool = False) -> str:
    """`json.dumps(value, indent=2)` in a fraction of its time.

    Args:
        line: the line end, with the indent of `value`.
    """
    inner = f"{line}  "
    if isinstance(value, dict) and value:
        others = set(map(type, value.values())) - _SCALARS
        if all(issubclass(kind, str | int | float) for kind in others):  # such as a status
            flat = _flat_encoder(f",{inner}", ascii_only).encode(value)
            return f"{{{inner}{flat[1:-1]}{line}}}"
        pairs = (
            f"{json.dumps(str(key), ensure_ascii=ascii_only)}: "
            f"{indented_json(one, inner, ascii_only=ascii_only)}"
            for key, one in value.items()
        )
        return f"{{{inner}{f',{inner}'.join(pairs)}{line}}}"
    if isinstance(value, list | tuple) and value:
        rows = (indented_json(one, inner, ascii_only=ascii_only) for one in value)
        return f"[{inner}{f',{inner}'.join(rows)}{line}]"
    return json.dumps(value, ensure_ascii=ascii_only)


@lru_cache(maxsize=16)
def _flat_encoder(between: str, ascii_only: bool) -> json.JSONEncoder:
    """Encodes objects without objects in them, with a text between their items."""
    return json.JSONEncoder(ensure_ascii=ascii_only, separators=(between, ": "))
