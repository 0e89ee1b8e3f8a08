"""What a terminal gets to call its user: the bell, or a notification of the desktop. A file of its
own, because it is about terminals, and the app is not.

There are two sequences for a notification, and no terminal says which one it knows. OSC 777 is that
of rxvt, foot and the terminals with VTE; OSC 9 that of iTerm2, WezTerm, Ghostty, kitty and others.
"""

from collections.abc import Mapping

from tui_manager.domain.text.safe_text import safe_line

BELL = "\a"
_TEXT_MAX = 200  # characters
_KNOW_777 = ("foot", "rxvt")  # how TERM begins


def notification(text: str, environment: Mapping[str, str]) -> str:
    """The bell and a notification with `text`, which may come from a host.

    Args:
        text: it should begin with a word: OSC 9 with a number is another command for some
            terminals.
        environment: of the process, which says what the terminal is.
    """
    said = safe_line(text)[:_TEXT_MAX]
    if environment.get("TERM", "").startswith(_KNOW_777) or environment.get("VTE_VERSION"):
        sequence = f"\x1b]777;notify;tui-manager;{said.replace(';', ',')}\x1b\\"
    else:
        sequence = f"\x1b]9;tui-manager: {said}\x1b\\"
    if environment.get("TMUX"):  # passed on if tmux is set to allow it
        doubled = sequence.replace("\x1b", "\x1b\x1b")
        sequence = f"\x1bPtmux;{doubled}\x1b\\"
    return BELL + sequence
