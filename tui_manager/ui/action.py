"""What an action of the screen is: its keys, its words, and in which screens and panes it works.
The actions themselves are in `action_table.py`."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from enum import StrEnum

from tui_manager_protos.lazy_dataclass import dataclass

from tui_manager.domain.status import Admission


class ScreenName(StrEnum):
    """The screens that have actions."""

    DASHBOARD = "dashboard"
    HOSTS = "hosts"
    TASKS = "tasks"
    MANAGER = "manager"
    SCHEDULES = "schedules"
    TASK = "task"
    HOST = "host"


class Pane(StrEnum):
    """The kinds of panes, by their title. A widget that is one has it as its attribute `PANE`."""

    TASKS = "Tasks"
    HOSTS = "Hosts"
    HOST = "Host"
    COMMAND_HOSTS = "Hosts of a task"
    OUTPUT = "Output"
    GROUPS = "Groups"
    TEMPLATES = "Templates"
    SCHEDULES = "Schedules"
    RUNS = "History"
    AUDIT = "Audit"


class Group(StrEnum):
    """Under which heading the help lists an action."""

    TASKS = "Tasks"
    HOSTS = "Hosts"
    SCHEDULES = "Templates and schedules"
    LISTS = "Lists"
    OUTPUT = "Output"
    SCREENS = "Screens"


EVERYWHERE = frozenset(ScreenName)
NOWHERE: frozenset[ScreenName] = frozenset()


@dataclass(frozen=True, slots=True)
class Action:
    """Something that an operator can do with a key.

    Attributes:
        id: its screen or the app has a method `action_` and this. The settings name it too.
        keys: as Textual names them, the one that is shown first.
        shown: the keys as people read them.
        label: a word or two, for the footer and the palette.
        text: a sentence, for the help.
        destructive: it ends or removes something, and asks first.
        footer: the screens whose footer shows it, whichever pane has the focus.
        screens: the screens that have it.
        panes: footer and help show it first while one of these has the focus.
        pane_only: it works in `panes` only, and elsewhere its key may do something else.
        of_app: the app has the method, and not the screen.
        host_labels: its label for each admission of a host, if they differ.
        words: other words by which the palette finds it.
    """

    id: str
    keys: tuple[str, ...]
    shown: str
    label: str
    text: str
    group: Group
    destructive: bool = False
    footer: frozenset[ScreenName] = NOWHERE
    screens: frozenset[ScreenName] = EVERYWHERE
    panes: frozenset[Pane] = frozenset()
    pane_only: bool = False
    of_app: bool = False
    host_labels: tuple[tuple[Admission, str], ...] = ()
    words: tuple[str, ...] = ()

    def label_for(self, hosts: Iterable[Admission]) -> str:
        """What it would do to hosts with these admissions. The label if that does not say."""
        admissions = frozenset(hosts)
        labels = [label for admission, label in self.host_labels if admission in admissions]
        return ", ".join(labels).capitalize() or self.label


@dataclass(frozen=True, slots=True)
class KeyMap:
    """The keys of the actions: those of the table, or those of the settings.

    Attributes:
        changed: the keys of the settings, by the id of the action, as Textual names them.
    """

    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def keys_of(self, action: Action) -> tuple[str, ...]:
        """The keys of an action, the one that is shown first."""
        return self.changed.get(action.id, action.keys)

    def shown(self, action: Action) -> str:
        """The keys of an action as people read them."""
        keys = self.changed.get(action.id)
        return " ".join(map(key_text, keys)) if keys else action.shown

    def first_shown(self, action: Action) -> str:
        """The first key of an action as people read it."""
        return self.shown(action).split()[0]


DEFAULT_KEYS = KeyMap()

# Keys that people call otherwise than Textual.
KEY_NAMES: Mapping[str, str] = {
    "escape": "esc",
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "equals_sign": "=",
    "exclamation_mark": "!",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "asterisk": "*",
    "quotation_mark": '"',
    "number_sign": "#",
    "dollar_sign": "$",
    "percent_sign": "%",
    "ampersand": "&",
    "apostrophe": "'",
    "left_parenthesis": "(",
    "right_parenthesis": ")",
    "plus": "+",
    "comma": ",",
    "minus": "-",
    "full_stop": ".",
    "semicolon": ";",
    "at": "@",
    "left_square_bracket": "[",
    "backslash": "\\",
    "right_square_bracket": "]",
    "circumflex_accent": "^",
    "underscore": "_",
    "grave_accent": "`",
    "left_curly_bracket": "{",
    "vertical_line": "|",
    "right_curly_bracket": "}",
    "tilde": "~",
}


def key_text(key: str) -> str:
    """A key as people read it: `?` for `question_mark`."""
    return KEY_NAMES.get(key, key)
