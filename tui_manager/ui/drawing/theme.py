"""The themes, with few colours: faults stand out, normal states do not. A file of its own, because
it holds only colours, which no other file names."""

from textual.theme import BUILTIN_THEMES, Theme

from tui_manager.ui.preferences import ThemeName

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
    variables={"quiet": "#94a1b3", "frame": "#2f3b4a", "cursor": "#22344a"},
)

LIGHT = Theme(
    name="tui-manager-light",
    dark=False,
    primary="#0b5cad",
    secondary="#57606a",
    accent="#0b5cad",
    warning="#7d5100",
    error="#b42318",
    success="#1a6b2f",
    foreground="#1f2328",
    background="#fbfbf9",
    surface="#fbfbf9",
    panel="#eceef0",
    variables={"quiet": "#57606a", "frame": "#c3c8ce", "cursor": "#d5e5f7"},
)

CONTRAST = Theme(
    name="tui-manager-contrast",
    dark=True,
    primary="#66d9ff",
    secondary="#ffffff",
    accent="#66d9ff",
    warning="#ffd75f",
    error="#ff9c94",
    success="#87ff87",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    variables={"quiet": "#d0d0d0", "frame": "#9e9e9e", "cursor": "#00284d"},
)

# The sixteen colours that the terminal has, on its own background. The row of the cursor is drawn
# in reverse, as no background is known to suit all of them.
TERMINAL = Theme(
    name="tui-manager-terminal",
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_default",
    accent="ansi_cyan",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    variables={
        **BUILTIN_THEMES["ansi-dark"].variables,  # its rules need some that only it has
        "quiet": "ansi_default",
        "frame": "ansi_bright_black",
        "cursor": "ansi_default",
        "block-cursor-foreground": "ansi_black",
        "block-cursor-background": "ansi_cyan",
        "input-cursor-background": "ansi_default",
        "input-cursor-foreground": "ansi_default",
        "input-cursor-text-style": "reverse",
        "input-selection-background": "ansi_cyan",
        "input-selection-foreground": "ansi_black",
        "screen-selection-background": "ansi_cyan",
        "screen-selection-foreground": "ansi_black",
        "scrollbar": "ansi_bright_black",
        "scrollbar-background": "ansi_default",
    },
)

THEMES = {
    ThemeName.DARK: DARK,
    ThemeName.LIGHT: LIGHT,
    ThemeName.TERMINAL: TERMINAL,
    ThemeName.CONTRAST: CONTRAST,
}
