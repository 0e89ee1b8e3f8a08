"""The table of all keys: which action each has on which screen, and its words. Bindings, footer,
help and palette are made from it. What an action does is in `app.py`, the screens and the files
`host_actions.py`, `task_actions.py`, `schedule_actions.py`, `output_actions.py` and
`search_actions.py`. What the fields
of an action mean is in `action.py`.

The settings are checked with this table before a screen is opened, so that it does not import
Textual.
"""

from tui_manager.domain.status import Admission
from tui_manager.ui.action import EVERYWHERE, Action, Group, Pane, ScreenName

_START = frozenset({ScreenName.DASHBOARD, ScreenName.TASKS, ScreenName.TASK})
_HOST = frozenset({ScreenName.HOST})
_HOSTS = frozenset({ScreenName.DASHBOARD, ScreenName.HOSTS, ScreenName.HOST})
_SCHEDULES = frozenset({ScreenName.SCHEDULES})
_TASK = frozenset({ScreenName.TASK})
_OPENS = EVERYWHERE - _TASK
_MARKS = frozenset({ScreenName.DASHBOARD, ScreenName.HOSTS, ScreenName.TASKS, ScreenName.TASK})
_PANES = frozenset(
    {
        ScreenName.DASHBOARD,
        ScreenName.MANAGER,
        ScreenName.SCHEDULES,
        ScreenName.TASK,
        ScreenName.HOST,
    }
)
_OUTPUT = frozenset({ScreenName.DASHBOARD, ScreenName.TASK, ScreenName.HOST})

# Panes in which an action is shown first.
_OF_TASK = frozenset({Pane.TASKS, Pane.COMMAND_HOSTS})
_OF_COMMAND_HOSTS = frozenset({Pane.COMMAND_HOSTS})
_OF_RUN = frozenset({*_OF_TASK, Pane.HOST})
_OF_TASKS = frozenset({Pane.TASKS})
_OF_HOST = frozenset({Pane.HOSTS, Pane.HOST})
_OF_SAVED = frozenset({Pane.TEMPLATES, Pane.SCHEDULES, Pane.RUNS})
_OF_TEMPLATE = frozenset({Pane.TEMPLATES})
_OF_SCHEDULE = frozenset({Pane.SCHEDULES, Pane.RUNS})
_OF_OUTPUT = frozenset({Pane.OUTPUT})
_OF_GROUPS = frozenset({Pane.GROUPS})

ACTIONS: tuple[Action, ...] = (
    Action(
        "new_task", ("n",), "n", "New", "New task, for marked or filtered hosts",
        Group.TASKS, of_app=True, footer=EVERYWHERE, panes=_OF_TASKS | _OF_HOST,
        words=("command", "run", "run command", "execute", "shell", "add"),
    ),
    Action(
        "copy_files", ("C",), "C", "Copy files", "Copy files to marked or filtered hosts",
        Group.TASKS, of_app=True,
        words=("upload", "send", "push", "put", "scp", "sftp", "rsync", "new task"),
    ),
    Action(
        "fetch_files", ("F",), "F", "Fetch files", "Fetch files of marked or filtered hosts",
        Group.TASKS, of_app=True, screens=_OPENS,
        words=("download", "get", "pull", "collect", "scp", "rsync", "slurp", "new task"),
    ),
    Action(
        "rerun_task", ("r",), "r", "Run again", "Run an ended task again, on some hosts",
        Group.TASKS, footer=_START, screens=_START | _HOST, panes=_OF_RUN,
        words=("again", "repeat", "rerun", "retry", "redo", "restart", "undo"),
    ),
    Action(
        "edit_task", ("e",), "e", "Edit a copy", "Edit a copy of the selected task, and start it",
        Group.TASKS, footer=_TASK, screens=_START, panes=_OF_TASK,
        words=("copy", "duplicate", "change", "modify", "again", "clone", "task file"),
    ),
    Action(
        "cancel_task", ("c",), "c", "Cancel", "Cancel the selected or marked tasks",
        Group.TASKS, destructive=True, footer=_START, screens=_START | _HOST, panes=_OF_RUN,
        words=("stop", "kill", "abort", "terminate", "end"),
    ),
    Action(
        "pause_task", ("p",), "p", "Pause", "Pause or resume the selected tasks",
        Group.TASKS, footer=_START, screens=_START, panes=_OF_TASK,
        words=("resume", "hold", "continue", "wait", "go on"),
    ),
    Action(
        "start_task", ("s",), "s", "Start", "Start the selected or marked tasks",
        Group.TASKS, footer=_START, screens=_START, panes=_OF_TASK,
        words=("begin", "launch", "run"),
    ),
    Action(
        "export_task", ("X",), "X", "Export", "Export the selected task: HTML, CSV, JSON, JUnit",
        Group.TASKS, screens=_START,
        words=("document", "report", "spreadsheet", "excel", "page", "print", "save", "download"),
    ),
    Action(
        "approve", ("a",), "a", "Approve", "Approve selected or marked pending hosts",
        Group.HOSTS, screens=_HOSTS, panes=_OF_HOST,
        words=("admit", "accept", "allow", "join"),
    ),
    Action(
        "reject", ("x",), "x", "Reject", "Reject pending, revoke admitted hosts",
        Group.HOSTS, destructive=True, screens=_HOSTS, panes=_OF_HOST,
        host_labels=((Admission.PENDING, "Reject"), (Admission.ADMITTED, "Revoke")),
        words=("revoke", "deny", "refuse", "ban", "block"),
    ),
    Action(
        "maintenance", ("m",), "m", "Maintenance", "Begin or end the maintenance of hosts",
        Group.HOSTS, screens=_HOSTS, panes=_OF_HOST,
        words=("drain", "disable", "reboot", "silence", "quarantine"),
    ),
    Action(
        "labels", ("l",), "l", "Labels", "Set or unset labels of hosts",
        Group.HOSTS, screens=_HOSTS, panes=_OF_HOST,
        words=("tag", "tags", "edit"),
    ),
    Action(
        "rename_host", ("R",), "R", "Rename", "Give a host another name",
        Group.HOSTS, screens=_HOSTS, panes=_OF_HOST,
        words=("name", "call", "edit"),
    ),
    Action(
        "remove_host", ("D",), "D", "Remove", "Remove hosts that are offline",
        Group.HOSTS, destructive=True, screens=_HOSTS, panes=_OF_HOST,
        words=("delete", "forget", "drop"),
    ),
    Action(
        "join_token", ("J",), "J", "Join token", "Make a join token: the line for a new host",
        Group.HOSTS, of_app=True,
        words=("add host", "enroll", "new host", "agent", "install"),
    ),
    Action(
        "run_saved", ("r",), "r", "Run", "Run a template, or a schedule now",
        Group.SCHEDULES, footer=_SCHEDULES, screens=_SCHEDULES, panes=_OF_SAVED,
        words=("start", "execute", "again", "now"),
    ),
    Action(
        "add_schedule", ("a",), "a", "Add", "Add a schedule",
        Group.SCHEDULES, footer=_SCHEDULES, screens=_SCHEDULES, panes=_OF_SAVED,
        words=("new schedule", "cron", "timer", "plan"),
    ),
    Action(
        "edit_schedule", ("e",), "e", "Edit", "Edit the selected template or schedule",
        Group.SCHEDULES, screens=_SCHEDULES, panes=_OF_SAVED,
        words=("change", "modify", "cron", "task file"),
    ),
    Action(
        "new_template", ("n",), "n", "New template", "Write a task file; ctrl+s saves it",
        Group.SCHEDULES, screens=_SCHEDULES, panes=_OF_TEMPLATE, pane_only=True,
        words=("task file", "toml", "save", "create"),
    ),
    Action(
        "pause_schedule", ("p",), "p", "Pause", "Pause or resume the schedule",
        Group.SCHEDULES, screens=_SCHEDULES, panes=_OF_SCHEDULE,
        words=("resume", "disable", "stop", "hold"),
    ),
    Action(
        "delete_saved", ("D",), "D", "Delete", "Delete a template or schedule",
        Group.SCHEDULES, destructive=True, footer=_SCHEDULES, screens=_SCHEDULES, panes=_OF_SAVED,
        words=("remove", "drop"),
    ),
    Action(
        "open", ("enter",), "enter", "Open", "Open what is selected",
        Group.LISTS, footer=EVERYWHERE, screens=_OPENS,
        words=("show", "details", "view"),
    ),
    Action(
        "mark", ("space",), "space", "Mark", "Mark or unmark what is selected",
        Group.LISTS, screens=_MARKS, panes=_OF_COMMAND_HOSTS,
        words=("select", "choose"),
    ),
    Action(
        "mark_shown", ("asterisk",), "*", "Mark all", "Mark all that the filter shows, or unmark",
        Group.LISTS, screens=_MARKS,
        words=("select all", "everything"),
    ),
    Action(
        "filter", ("slash",), "/", "Filter", "Filter the list by words, or by terms",
        Group.LISTS, footer=EVERYWHERE,
        words=("search", "find", "grep", "who", "author", "owner", "by"),
    ),
    Action(
        "faults_only", ("exclamation_mark", "ctrl+z"), "! ctrl+z", "Problems only",
        "Show only what is wrong, or all",
        Group.LISTS,
        words=("failed", "errors", "faults", "broken", "offline"),
    ),
    Action(
        "sort_left", ("less_than_sign",), "<", "Sort by previous", "Sort by the column before",
        Group.LISTS, words=("order",),
    ),
    Action(
        "sort_right", ("greater_than_sign",), ">", "Sort by next", "Sort by the next column",
        Group.LISTS, words=("order",),
    ),
    Action(
        "reverse_order", ("I",), "I", "Reverse order", "Reverse the order of that column",
        Group.LISTS, words=("sort", "invert", "ascending", "descending"),
    ),
    Action(
        "next_failure", ("F",), "F", "Next failure", "Select the next command that failed",
        Group.LISTS, screens=_TASK, panes=_OF_COMMAND_HOSTS,
        words=("failed", "errors", "problem", "jump"),
    ),
    Action(
        "next_pane", ("tab",), "tab", "Next pane", "Go to the next pane",
        Group.LISTS, screens=_PANES,
        words=("focus", "switch"),
    ),
    Action(
        "previous_pane", ("shift+tab",), "shift+tab", "Previous pane", "Go to the pane before",
        Group.LISTS, screens=_PANES,
        words=("focus", "switch", "backwards"),
    ),
    Action(
        "all_output", ("o",), "o", "All hosts", "Output of all hosts, or of one",
        Group.OUTPUT, footer=_TASK, screens=_OUTPUT - _HOST, panes=_OF_OUTPUT,
        words=("logs", "log", "stdout"),
    ),
    Action(
        "groups", ("equals_sign",), "=", "Groups", "Group hosts with the same output",
        Group.OUTPUT, footer=_TASK, screens=_TASK, panes=_OF_GROUPS,
        words=("same", "gather", "clush", "dshbak"),
    ),
    Action(
        "compare", ("d",), "d", "Compare", "Compare a group with the largest",
        Group.OUTPUT, screens=_TASK, panes=_OF_GROUPS,
        words=("diff", "difference"),
    ),
    Action(
        "mask", ("M",), "M", "Mask", "Group without regard to numbers, addresses",
        Group.OUTPUT, screens=_TASK, panes=_OF_GROUPS,
        words=("numbers", "addresses", "ignore", "similar", "normalize"),
    ),
    Action(
        "search", ("slash",), "/", "Search", "Search in all of the output",
        Group.OUTPUT, screens=_OUTPUT, panes=_OF_OUTPUT, pane_only=True,
        words=("find", "grep", "look for"),
    ),
    Action(
        "next_match", ("n",), "n", "Next match", "The next line that was searched for",
        Group.OUTPUT, screens=_OUTPUT, panes=_OF_OUTPUT, pane_only=True,
        words=("search", "find", "again"),
    ),
    Action(
        "previous_match", ("N",), "N", "Previous", "The line before that was searched for",
        Group.OUTPUT, screens=_OUTPUT, panes=_OF_OUTPUT, pane_only=True,
        words=("search", "find", "backwards"),
    ),
    Action(
        "first_error", ("E",), "E", "First error", "Go to the first error in the output",
        Group.OUTPUT, screens=_OUTPUT, panes=_OF_OUTPUT,
        words=("failed", "stderr", "why", "problem"),
    ),
    Action(
        "zoom", ("z",), "z", "Zoom", "Give a pane the whole screen, or back",
        Group.OUTPUT, screens=_OUTPUT, panes=_OF_OUTPUT | _OF_GROUPS,
        words=("maximize", "full screen", "enlarge", "bigger"),
    ),
    Action(
        "follow", ("f",), "f", "Follow", "Stay at the newest line, or stop there",
        Group.OUTPUT, screens=_OUTPUT, panes=_OF_OUTPUT,
        words=("tail", "live", "logs"),
    ),
    Action(
        "wrap", ("w",), "w", "Wrap", "Wrap long lines, or cut them",
        Group.OUTPUT, screens=_OUTPUT, panes=_OF_OUTPUT,
        words=("long lines", "fold"),
    ),
    Action(
        "times", ("T",), "T", "Times", "Show when each line was stored, or hide it",
        Group.OUTPUT, screens=_OUTPUT, panes=_OF_OUTPUT,
        words=("time stamps", "timestamps", "when", "clock", "date"),
    ),
    Action(
        "pager", ("v",), "v", "Pager", "Show all of the output in $PAGER",
        Group.OUTPUT, screens=_OUTPUT, panes=_OF_OUTPUT,
        words=("less", "more", "view", "external"),
    ),
    Action(
        "save_output", ("ctrl+s",), "ctrl+s", "Save output", "Save shown output, or fetched files",
        Group.OUTPUT, screens=_OUTPUT, panes=_OF_OUTPUT | _OF_GROUPS,
        words=("download", "logs", "write", "files", "fetched"),
    ),
    Action(
        "show_dashboard", ("1",), "1", "Dashboard", "Hosts, tasks and live output",
        Group.SCREENS, of_app=True, words=("home", "overview", "start page"),
    ),
    Action(
        "show_hosts", ("2",), "2", "Hosts", "All hosts and their facts",
        Group.SCREENS, of_app=True, words=("servers", "machines", "nodes", "agents", "fleet"),
    ),
    Action(
        "show_tasks", ("3",), "3", "Tasks", "All tasks",
        Group.SCREENS, of_app=True, words=("jobs", "history", "runs", "who", "author"),
    ),
    Action(
        "show_manager", ("4",), "4", "Manager", "Alerts, figures, and the audit",
        Group.SCREENS, of_app=True,
        words=("audit", "health", "version", "port", "security", "who did what", "blame"),
    ),
    Action(
        "show_schedules", ("5",), "5", "Schedules", "Templates and schedules",
        Group.SCREENS, of_app=True, words=("cron", "templates", "timers", "playbooks"),
    ),
    Action(
        "back", ("escape",), "esc", "Back", "Back, or clear filter and marks",
        Group.SCREENS, footer=_TASK | _HOST, words=("leave", "close", "clear"),
    ),
    Action(
        "help", ("question_mark",), "?", "Help", "This help",
        Group.SCREENS, of_app=True, footer=EVERYWHERE, words=("keys", "shortcuts", "manual"),
    ),
    Action(
        "palette", ("colon", "ctrl+p"), ": ctrl+p", "Commands", "Find an action or an item by name",
        Group.SCREENS, of_app=True, footer=EVERYWHERE,
    ),
    Action(
        "notices", ("i",), "i", "Notices", "The notices that were shown",
        Group.SCREENS, of_app=True, words=("messages", "notifications", "errors", "log", "toasts"),
    ),
    Action(
        "theme", ("t",), "t", "Theme", "The next colours: dark, light, …",
        Group.SCREENS, of_app=True,
        words=("dark", "light", "colors", "colours", "contrast", "ansi"),
    ),
    Action(
        "quit", ("q", "ctrl+q"), "q ctrl+q", "Quit", "Quit",
        Group.SCREENS, of_app=True, destructive=True, footer=EVERYWHERE,
        words=("exit", "leave", "close"),
    ),
)  # fmt: skip


# Keys that move in every pane, for the help. Textual's names of them stand with the widgets.
MOVES = (
    ("j k", "Move down or up, as the arrows do"),
    ("ctrl+d", "Half a page down; ctrl+u: up"),
    ("g G", "First or last, as home and end"),
)

# Keys of the forms, for the help.
FORM_KEYS = (
    ("tab", "Next field; shift+tab: the field before"),
    ("f5", "Do what the form is for: start, save, run"),
    ("f4", "The plan of a new task"),
    ("f2", "A command, a copy or a fetch of files"),
    ("↑ ctrl+r", "An earlier command; ctrl+r searches"),
    ("ctrl+e", "The command in $EDITOR"),
    ("ctrl+t", "The form as a task file"),
)

BY_ID = {action.id: action for action in ACTIONS}
