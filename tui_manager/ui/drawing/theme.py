"""Two themes with few colours: faults stand out, normal states do not. A file of its
own, because it holds only colours, which no other file names."""

from textual.theme import Theme

DARK = Theme(
    name="tui-manager-dark",
    dark=True,
    primary="#6cb6ff",
    secondary="#8b9bb4",
    accent="#6cb6ff",
    warning="#e0af5f",
    error="#ff7b72",
    success="#7fc98b",
    foreground="#d5dbe3",
    background="#10151c",
    surface="#10151c",
    panel="#1b2430",
    variables={"quiet": "#7d8a9c", "frame": "#2f3b4a", "cursor": "#22344a"},
)

LIGHT = Theme(
    name="tui-manager-light",
    dark=False,
    primary="#0b5cad",
    secondary="#57606a",
    accent="#0b5cad",
    warning="#8a5a00",
    error="#b42318",
    success="#1a6b2f",
    foreground="#1f2328",
    background="#fbfbf9",
    surface="#fbfbf9",
    panel="#eceef0",
    variables={"quiet": "#626b76", "frame": "#c3c8ce", "cursor": "#d5e5f7"},
)
