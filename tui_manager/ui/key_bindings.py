"""The table of all keys: which action each has on which screen, and its words. Bindings, footer,
help and palette are made from it. What an action does is in `app.py`, the screens and the files
`host_actions.py`, `task_actions.py`, `schedule_actions.py` and `output_actions.py`."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from textual.actions import ActionParseResult
from textual.binding import Binding, BindingType

from tui_manager.domain.status import Admission


class ScreenName(StrEnum):
    """The screens that have actions."""

    DASHBOARD = "dashboard"
    HOSTS = "hosts"
    TASKS = "tasks"
    MANAGER = "manager"
    SCHEDULES = "schedules"
    TASK = "task"


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
        id: its screen or the app has a method `action_` and this.
        keys: as Textual names them, the one that is shown first.
        shown: the keys as people read them.
        label: a word or two, for the footer and the palette.
        text: a sentence, for the help.
        destructive: it ends or removes something, and asks first.
        footer: the screens whose footer shows it.
        places: the screens that have it.
        of_app: the app has the method, and not the screen.
        host_labels: its label for each admission of a host, if they differ.
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
    of_app: bool = False
    host_labels: tuple[tuple[Admission, str], ...] = ()

    def label_for(self, hosts: Iterable[Admission]) -> str:
        """What it would do to hosts with these admissions. The label if that does not say."""
        admissions = frozenset(hosts)
        labels = [label for admission, label in self.host_labels if admission in admissions]
        return ", ".join(labels).capitalize() or self.label


_START = frozenset({ScreenName.DASHBOARD, ScreenName.TASKS, ScreenName.TASK})
_HOSTS = frozenset({ScreenName.DASHBOARD, ScreenName.HOSTS})
_SCHEDULES = frozenset({ScreenName.SCHEDULES})
_TASK = frozenset({ScreenName.TASK})
_OPENS = EVERYWHERE - _TASK
_MARKS = frozenset({ScreenName.DASHBOARD, ScreenName.HOSTS, ScreenName.TASKS})
_PANES = frozenset(
    {ScreenName.DASHBOARD, ScreenName.MANAGER, ScreenName.SCHEDULES, ScreenName.TASK}
)
_OUTPUT = frozenset({ScreenName.DASHBOARD, ScreenName.TASK})
_ALL_HOSTS = frozenset({ScreenName.HOSTS})

ACTIONS: tuple[Action, ...] = (
    Action(
        "new_task", ("n",), "n", "New", "New task; marked hosts are its target",
        Group.TASKS, of_app=True, footer=EVERYWHERE,
    ),
    Action(
        "start_task", ("s",), "s", "Start", "Start the selected or marked tasks",
        Group.TASKS, footer=_START - _TASK, screens=_START,
    ),
    Action(
        "cancel_task", ("c",), "c", "Cancel", "Cancel the selected or marked tasks",
        Group.TASKS, destructive=True, footer=EVERYWHERE, screens=_START,
    ),
    Action(
        "pause_task", ("p",), "p", "Pause", "Pause or resume the selected tasks",
        Group.TASKS, footer=_START, screens=_START,
    ),
    Action(
        "rerun_task", ("r",), "r", "Re-run", "Run an ended task again, on some hosts",
        Group.TASKS, screens=_START,
    ),
    Action(
        "approve", ("a",), "a", "Approve", "Approve selected or marked pending hosts",
        Group.HOSTS, footer=_ALL_HOSTS, screens=_HOSTS,
    ),
    Action(
        "reject", ("x",), "x", "Reject", "Reject pending, revoke admitted hosts",
        Group.HOSTS, destructive=True, footer=_ALL_HOSTS, screens=_HOSTS,
        host_labels=((Admission.PENDING, "Reject"), (Admission.ADMITTED, "Revoke")),
    ),
    Action(
        "maintenance", ("m",), "m", "Maintenance", "Begin or end the maintenance of hosts",
        Group.HOSTS, screens=_HOSTS,
    ),
    Action(
        "labels", ("l",), "l", "Labels", "Set or unset labels of hosts",
        Group.HOSTS, screens=_HOSTS,
    ),
    Action(
        "remove_host", ("D",), "D", "Remove", "Remove hosts that are offline",
        Group.HOSTS, destructive=True, screens=_HOSTS,
    ),
    Action(
        "join_token", ("J",), "J", "Join token", "Make a join token: the line for a new host",
        Group.HOSTS, of_app=True,
    ),
    Action(
        "run_saved", ("r",), "r", "Run", "Run a template, or a schedule now",
        Group.SCHEDULES, footer=_SCHEDULES, screens=_SCHEDULES,
    ),
    Action(
        "add_schedule", ("a",), "a", "Add", "Add a schedule",
        Group.SCHEDULES, footer=_SCHEDULES, screens=_SCHEDULES,
    ),
    Action(
        "edit_schedule", ("e",), "e", "Edit", "Edit the selected schedule",
        Group.SCHEDULES, footer=_SCHEDULES, screens=_SCHEDULES,
    ),
    Action(
        "pause_schedule", ("p",), "p", "Pause", "Pause or resume the schedule",
        Group.SCHEDULES, footer=_SCHEDULES, screens=_SCHEDULES,
    ),
    Action(
        "delete_saved", ("D",), "D", "Delete", "Delete a template or schedule",
        Group.SCHEDULES, destructive=True, footer=_SCHEDULES, screens=_SCHEDULES,
    ),
    Action(
        "open", ("enter",), "enter", "Open", "Open what is selected",
        Group.LISTS, footer=EVERYWHERE, screens=_OPENS,
    ),
    Action(
        "mark", ("space",), "space", "Mark", "Mark or unmark what is selected",
        Group.LISTS, screens=_MARKS,
    ),
    Action(
        "filter", ("slash",), "/", "Filter", "Filter the list; esc clears it",
        Group.LISTS, footer=EVERYWHERE,
    ),
    Action(
        "faults_only", ("ctrl+z",), "ctrl+z", "Faults only", "Show only what is wrong, or all",
        Group.LISTS,
    ),
    Action(
        "next_pane", ("tab",), "tab", "Next pane", "Go to the next pane",
        Group.LISTS, screens=_PANES,
    ),
    Action(
        "all_output", ("o",), "o", "All hosts", "Output of all hosts, or of one",
        Group.OUTPUT, footer=_TASK, screens=_OUTPUT,
    ),
    Action(
        "groups", ("equals_sign",), "=", "Groups", "Group hosts with the same output",
        Group.OUTPUT, footer=EVERYWHERE, screens=_TASK,
    ),
    Action(
        "compare", ("d",), "d", "Compare", "Compare a group with the largest",
        Group.OUTPUT, screens=_TASK,
    ),
    Action(
        "follow", ("f",), "f", "Follow", "Stay at the newest line, or stop there",
        Group.OUTPUT, screens=_OUTPUT,
    ),
    Action(
        "wrap", ("w",), "w", "Wrap", "Wrap long lines, or cut them",
        Group.OUTPUT, screens=_OUTPUT,
    ),
    Action(
        "save_output", ("ctrl+s",), "ctrl+s", "Save output", "Save the shown output to a file",
        Group.OUTPUT, screens=_OUTPUT,
    ),
    Action(
        "show_dashboard", ("1",), "1", "Dashboard", "Hosts, tasks and live output",
        Group.SCREENS, of_app=True,
    ),
    Action(
        "show_hosts", ("2",), "2", "Hosts", "All hosts and their facts",
        Group.SCREENS, of_app=True,
    ),
    Action("show_tasks", ("3",), "3", "Tasks", "All tasks", Group.SCREENS, of_app=True),
    Action(
        "show_manager", ("4",), "4", "Manager", "Attention, figures, and the audit",
        Group.SCREENS, of_app=True,
    ),
    Action(
        "show_schedules", ("5",), "5", "Schedules", "Templates and schedules",
        Group.SCREENS, of_app=True,
    ),
    Action("back", ("escape",), "esc", "Back", "Back, or clear filter and marks", Group.SCREENS),
    Action(
        "palette", ("colon", "ctrl+p"), ": ctrl+p", "Commands", "Find a command, host or task",
        Group.SCREENS, of_app=True, footer=EVERYWHERE,
    ),
    Action("theme", ("t",), "t", "Theme", "Dark or light", Group.SCREENS, of_app=True),
    Action(
        "help", ("question_mark",), "?", "Help", "This help",
        Group.SCREENS, of_app=True, footer=EVERYWHERE,
    ),
    Action(
        "quit", ("q", "ctrl+q"), "q", "Quit", "Quit",
        Group.SCREENS, of_app=True, destructive=True, footer=EVERYWHERE,
    ),
)  # fmt: skip


# Keys that move in every pane, for the help. Textual's names of them stand with the widgets.
MOVES = (
    ("j k", "Move down or up, as the arrows do"),
    ("ctrl+d", "Half a page down; ctrl+u: up"),
    ("g G", "First or last, as home and end"),
)

BY_ID = {action.id: action for action in ACTIONS}


def actions_of(screen: ScreenName) -> tuple[Action, ...]:
    """What can be done on a screen, in the order of the table."""
    return tuple(action for action in ACTIONS if screen in action.screens)


def bindings_of(screen: ScreenName) -> list[BindingType]:
    """The bindings of a screen, in the form that Textual needs."""
    return [
        Binding(
            ",".join(action.keys),
            f"app.{action.id}" if action.of_app else action.id,
            action.label,
            show=screen in action.footer,
            key_display=action.shown.split()[0],
            id=action.id,
            priority=action.id == "next_pane",  # keys that are typed after it go to the next pane
        )
        for action in actions_of(screen)
    ]


def open_task(task_id: int) -> ActionParseResult:
    """The screen of a task."""
    return "app", "open_task", (task_id,)


def open_host(host_id: str) -> ActionParseResult:
    """A host, on the screen of all hosts."""
    return "app", "open_host", (host_id,)


def open_host_output(host_id: str) -> ActionParseResult:
    """The output of a host, on the dashboard."""
    return "app", "open_host_output", (host_id,)
