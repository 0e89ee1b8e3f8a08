"""What windows with a filter share."""


def like(text: str) -> str:
    """The LIKE pattern of rows that contain `text`; empty for no filter."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%" if text else ""
