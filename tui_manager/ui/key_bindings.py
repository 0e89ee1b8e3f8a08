"""What is made from the table of actions: the bindings and the footer of a screen, keys for hints.
And the actions with a subject, which have no key: what a click or a hit of the palette opens."""

from typing import TYPE_CHECKING

from tui_manager.ui.action import DEFAULT_KEYS, Action, KeyMap, Pane, ScreenName
from tui_manager.ui.action_table import ACTIONS, BY_ID

if TYPE_CHECKING:
    from textual.actions import ActionParseResult
    from textual.binding import BindingType

# Keys that are typed after one of these go to the pane that has the focus then.
_FOCUS_MOVES = frozenset({"next_pane", "previous_pane"})


def actions_of(screen: ScreenName) -> tuple[Action, ...]:
    """What can be done on a screen, in the order of the table."""
    return tuple(action for action in ACTIONS if screen in action.screens)


def footer_actions(screen: ScreenName, pane: Pane | None) -> tuple[Action, ...]:
    """What the footer shows: first what belongs to the pane with the focus, then the rest."""
    actions = actions_of(screen)
    first = [action for action in actions if pane in action.panes]
    rest = [action for action in actions if screen in action.footer and not action.pane_only]
    return (*first, *(action for action in rest if action not in first))


def bindings_of(screen: ScreenName, keys: KeyMap | None = None) -> "list[BindingType]":
    """The bindings of a screen, in the form that Textual needs. What works in one pane only stands
    first: elsewhere its key falls through to the other action that has it."""
    from textual.binding import Binding

    keys = keys or KeyMap()
    return [
        Binding(
            ",".join(keys.keys_of(action)),
            f"app.{action.id}" if action.of_app else action.id,
            action.label,
            id=action.id,
            priority=action.id in _FOCUS_MOVES,
        )
        for action in sorted(actions_of(screen), key=lambda action: not action.pane_only)
    ]


def key_of(action_id: str, keys: KeyMap = DEFAULT_KEYS) -> str:
    """The first key of an action as people read it, for a hint."""
    return keys.first_shown(BY_ID[action_id])


def open_task(task_id: int) -> "ActionParseResult":
    """The screen of a task."""
    return "app", "open_task", (task_id,)


def open_host(host_id: str) -> "ActionParseResult":
    """The screen of a host."""
    return "app", "open_host", (host_id,)


def show_hosts_that(text: str) -> "ActionParseResult":
    """The hosts that pass a filter."""
    return "app", "show_hosts_that", (text,)


def open_template(name: str) -> "ActionParseResult":
    """A template, on the screen of templates and schedules."""
    return "app", "open_template", (name,)


def open_schedule(name: str) -> "ActionParseResult":
    """A schedule, on the screen of templates and schedules."""
    return "app", "open_schedule", (name,)
