"""What an operator can set of the dashboard: keys, colours, and the signal when a task has ended.
The settings are checked here. Nothing here imports Textual, as every command reads the settings."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import timedelta
from enum import StrEnum
from itertools import combinations

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.ui.action import KEY_NAMES, Action, KeyMap, ScreenName, key_text
from tui_manager.ui.action_table import BY_ID
from tui_manager.ui.key_bindings import actions_of


class ThemeName(StrEnum):
    """The themes, in the order in which the key changes them."""

    DARK = "dark"
    LIGHT = "light"
    TERMINAL = "terminal"
    CONTRAST = "contrast"


class NotifyMode(StrEnum):
    """How the operator is told that a long task has ended."""

    OFF = "off"
    BELL = "bell"
    TERMINAL = "terminal"


@dataclass(frozen=True, slots=True)
class Preferences:
    """What an operator has set.

    Attributes:
        notify: how the terminal calls when a long task has ended.
        notify_after: a task is long if it ran longer than this.
    """

    keys: KeyMap = field(default_factory=KeyMap)
    theme: ThemeName = ThemeName.DARK
    notify: NotifyMode = NotifyMode.BELL
    notify_after: timedelta = timedelta(seconds=30)


_NAMED = {"enter", "tab", "space", "insert", "delete", "backspace", "shift+tab"} | {
    f"f{number}" for number in range(1, 13)
}
_BY_TEXT = {text: key for key, text in KEY_NAMES.items()}
_MOVES = {
    "up", "down", "left", "right", "pageup", "pagedown", "home", "end", "j", "k", "g", "G",
    "ctrl+d", "ctrl+u",
}  # fmt: skip
# What a terminal sends for these is another key.
_SAME_AS = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+j": "enter", "ctrl+h": "backspace"}
_CONTROL = "ctrl+"
FORMS = "a character, ctrl+ and a letter, f1 to f12, esc, enter, tab, space, insert or delete"


def read_keys(value: object) -> Mapping[str, Sequence[str]]:
    """The setting `keys`: the keys of actions by their ids, as people read them.

    Raises:
        ValueError: an action or a key that there is not, or a key that two actions would have.
    """
    if not isinstance(value, Mapping):
        raise ValueError('expected a table of actions and keys: [keys] new_task = "N"')
    keys: dict[str, tuple[str, ...]] = {}
    for name, given in value.items():
        if name not in BY_ID:
            raise ValueError(f"there is no action {name!r}; there are {', '.join(sorted(BY_ID))}")
        several = [given] if isinstance(given, str) else given
        if not isinstance(several, list | tuple) or not several:
            raise ValueError(f'{name} needs a key, such as "N", or a list of keys')
        keys[name] = tuple(_key(name, key) for key in several)
    _check_collisions(KeyMap(keys))
    return {name: tuple(map(key_text, given)) for name, given in keys.items()}


def preferences_of(
    keys: Mapping[str, Sequence[str]], theme: str, notify: str, notify_after: timedelta
) -> Preferences:
    """The preferences that the settings of these names say."""
    return Preferences(key_map(keys), ThemeName(theme), NotifyMode(notify), notify_after)


def key_map(keys: Mapping[str, Sequence[str]]) -> KeyMap:
    """The keys of the setting as Textual names them."""
    return KeyMap(
        {name: tuple(_BY_TEXT.get(key, key) for key in given) for name, given in keys.items()}
    )


def _key(name: str, text: object) -> str:
    """A key as Textual names it."""
    if not isinstance(text, str) or not text:
        raise ValueError(f"{name} = {text!r} is not a key; take {FORMS}")
    key = text if len(text) == 1 else text.lower()
    key = _BY_TEXT.get(key, key)
    if key in _SAME_AS:
        raise ValueError(f"{name} = {text!r}: a terminal sends {_SAME_AS[key]} for it")
    if key in _MOVES or key == "ctrl+c":
        used = "says how to quit" if key == "ctrl+c" else "moves the cursor in every list"
        raise ValueError(f"{name} = {text!r}: this key {used}; take another one")
    letter = key.removeprefix(_CONTROL) if key.startswith(_CONTROL) else ""
    control = len(letter) == 1 and letter.isascii() and letter.isalpha()
    single = len(key) == 1 and key.isalnum()
    if not (control or single or key in _NAMED or key in KEY_NAMES):
        raise ValueError(f"{name} = {text!r} is not a key; take {FORMS}")
    return key


def _check_collisions(keys: KeyMap) -> None:
    for screen in ScreenName:
        for one, other in combinations(actions_of(screen), 2):
            both = set(keys.keys_of(one)) & set(keys.keys_of(other))
            if both and not _share(one, other):
                key = key_text(min(both))
                raise ValueError(
                    f"{key!r} would be the key of both {one.id} and {other.id} on the screen "
                    f"{screen}; give one of them another key"
                )


def _share(one: Action, other: Action) -> bool:
    """Whether two actions of a screen may have one key: they work in different panes."""
    if one.pane_only and other.pane_only:
        return not one.panes & other.panes
    return one.pane_only or other.pane_only
