"""Regular expressions that operators write, in a parameter of a task file or in the filter of a
list. RE2 takes time linear in the length of a text."""

from functools import lru_cache
from typing import Any

from tui_manager.domain.errors import InvalidInputError

PATTERN_LENGTH = 1000  # characters
_PATTERN_MEMORY = 1 << 20  # bytes of a compiled pattern
_AT_LINES = "(?m)"
_SHOWN = 80  # characters of a wrong pattern in an error


@lru_cache(maxsize=64)
def compile_pattern(pattern: str, field: str = "pattern", *, of_filter: bool = False) -> Any:
    """The compiled pattern.

    Args:
        field: that an error names.
        of_filter: it ignores case, and `^` and `$` match at each line.

    Raises InvalidInputError: it is too long, or not a regular expression of RE2.
    """
    import re2  # a large library, and most programs meet no pattern

    if len(pattern) > PATTERN_LENGTH:
        raise InvalidInputError(field, f"A pattern has at most {PATTERN_LENGTH} characters.")
    options = re2.Options()
    options.max_mem = _PATTERN_MEMORY
    options.log_errors = False
    options.never_capture = True
    options.case_sensitive = not of_filter
    try:
        return re2.compile(f"{_AT_LINES}{pattern}" if of_filter else pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0]
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(error)
        text = text.replace(_AT_LINES, "")
        raise InvalidInputError(
            field, f"{pattern[:_SHOWN]!r} is not a regular expression of RE2: {text}."
        ) from None
