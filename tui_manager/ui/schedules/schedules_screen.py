"""Templates and schedules, and below them what is known of the selected one."""

from collections.abc import Iterable, Sequence
from typing import Any

from textual import on
from textual.containers import Vertical
from textual.events import DescendantFocus
from textual.widget import Widget

from tui_manager.domain.errors import NotFoundError
from tui_manager.domain.manager.changes import Changes
from tui_manager.domain.schedules.schedule import Schedule, ScheduleDetail, ScheduleSpec
from tui_manager.domain.task_files.task_file import TaskFile
from tui_manager.domain.task_files.template import TemplateDetail
from tui_manager.ui.action import Action, Pane, ScreenName
from tui_manager.ui.drawing.alike_lines import PlainContainer
from tui_manager.ui.drawing.span_widgets import SpanLines, TextScroll
from tui_manager.ui.forms.tasks.task_file_reader import TaskFileReader
from tui_manager.ui.frame.main_screen import MainScreen
from tui_manager.ui.frame.pane_tabs import PaneTabs
from tui_manager.ui.key_bindings import bindings_of, key_of, open_task
from tui_manager.ui.listing.row_table import RowTable
from tui_manager.ui.manager_link import Link
from tui_manager.ui.schedules.schedule_actions import (
    add_schedule,
    delete_schedule,
    delete_template,
    edit_schedule,
    edit_template,
    pause_or_resume_schedule,
    run_schedule,
    run_template,
)
from tui_manager.ui.schedules.schedule_run_table import RunTable
from tui_manager.ui.schedules.schedule_table import ScheduleTable
from tui_manager.ui.schedules.task_statuses import TaskStatuses
from tui_manager.ui.schedules.template_and_schedule_details import schedule_lines, template_lines
from tui_manager.ui.schedules.template_table import TemplateTable
from tui_manager.ui.terminal.closable import is_open, while_open


class ScheduleText(TextScroll):
    """What is known of the selected schedule. It has the focus only if it has to be scrolled."""

    PANE = Pane.SCHEDULES

    def allow_focus(self) -> bool:
        """Whether some of its lines are out of sight."""
        return self.max_scroll_y > 0


class SchedulesScreen(MainScreen):
    """Two lists, and a pane for the one that had the focus last: the text of a template, or the
    next due times of a schedule and its history."""

    SCREEN = ScreenName.SCHEDULES
    BINDINGS = bindings_of(ScreenName.SCHEDULES)

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._statuses = TaskStatuses(link)
        self._on_schedules = False  # the list that had the focus last
        self._task_files = TaskFileReader()
        self._names_shown = {"template": "", "schedule": ""}  # the name of each that is shown
        # As they were read last, with what their task files say.
        self._template: tuple[TemplateDetail, TaskFile | None] | None = None
        self._schedule: tuple[ScheduleDetail, TaskFile | None] | None = None

    def body(self) -> Iterable[Widget]:
        yield PaneTabs(("Templates", "Schedules"), self.link.keys)
        yield PlainContainer(
            TemplateTable(self.link, id="templates"),
            ScheduleTable(self.link, self._statuses, id="schedules"),
            id="lists",
        )
        yield TextScroll(SpanLines(id="template-lines"), id="template-text")
        yield Vertical(
            ScheduleText(SpanLines(id="schedule-lines"), id="schedule-text"),
            RunTable(self.link, self._statuses, id="runs"),
            id="schedule-pane",
        )

    @property
    def templates(self) -> TemplateTable:
        """The templates."""
        return self.query_one("#templates", TemplateTable)

    @property
    def schedules(self) -> ScheduleTable:
        """The schedules."""
        return self.query_one("#schedules", ScheduleTable)

    @property
    def runs(self) -> RunTable:
        """The history of the selected schedule."""
        return self.query_one("#runs", RunTable)

    @property
    def table(self) -> RowTable[Any]:
        """The list that had the focus last: filter and keys act on this one."""
        return self.schedules if self._on_schedules else self.templates

    def on_mount(self) -> None:
        """The schedules have the focus: these run, and may need attention."""
        self.query_one("#template-text").border_title = "Template"
        self.query_one("#schedule-text").border_title = "Schedule"
        self._bring_forward(on_schedules=True)
        self.set_focus(self.schedules)

    # Reading.

    def read_again(self, changes: Changes) -> None:
        tasks = changes.all_tasks or bool(changes.tasks)
        if tasks:
            self._statuses.forget(changes)
        if changes.templates or changes.schedules:  # a template has the number of its schedules
            self.templates.reload()
        if changes.schedules or tasks:
            self.schedules.reload()
            self.runs.reload()
        if changes.templates or changes.schedules:
            self._read_detail()

    def tick(self) -> None:
        super().tick()
        if self.is_current:
            self._describe()

    @on(SpanLines.WidthChanged)
    def _width_changed(self) -> None:
        """The lines depend on the width."""
        self._describe()

    @on(RowTable.Selected)
    def _on_selected(self, message: RowTable.Selected) -> None:
        if message.rows is self.table:
            self._scroll_up_for_another()
            self._read_detail()

    def _scroll_up_for_another(self) -> None:
        """The text of another template or schedule begins with its first line."""
        template, schedule = self.templates.selected, self.selected_schedule
        for kind, name in (
            ("template", template.name if template else ""),
            ("schedule", schedule.spec.name if schedule else ""),
        ):
            if name != self._names_shown[kind]:
                self._names_shown[kind] = name
                self.query_one(f"#{kind}-text").scroll_home(animate=False)

    @while_open("detail", exclusive=True)
    async def _read_detail(self) -> None:
        """Reads what the list does not have of the selected template or schedule. What its task
        file says is shown when it is read, which may take seconds."""
        try:
            if self._on_schedules:
                await self._read_schedule()
            else:
                await self._read_template()
        except NotFoundError:  # it was deleted; the list is about to say so
            self._schedule = self._template = None
        self._describe()

    async def _read_schedule(self) -> None:
        schedule = self.selected_schedule
        self.runs.show(schedule.spec.name if schedule else "")
        if schedule is None:
            self._schedule = None
            return
        detail = await self.link.operator.get_schedule(schedule.spec.name)
        spec = detail.schedule.spec
        text = await self._task_text(spec)
        self._schedule = detail, self._task_files.known(text)
        if text:
            self._describe()
            self._schedule = detail, await self._task_files.read(text, spec.name)

    async def _task_text(self, spec: ScheduleSpec) -> str:
        """The task file of a schedule or of its template; empty if the template is gone."""
        if spec.template is None:
            return spec.task_file
        try:
            use = spec.template
            return (await self.link.operator.get_template(use.name, use.version)).text
        except NotFoundError:
            return ""

    async def _read_template(self) -> None:
        if (template := self.templates.selected) is None:
            self._template = None
            return
        detail = await self.link.operator.get_template(template.name)
        self._template = detail, self._task_files.known(detail.text)
        self._describe()
        self._template = detail, await self._task_files.read(detail.text, template.name)

    def _describe(self) -> None:
        now, keys = self.link.data_time(), self.link.keys
        lines = self.query_one("#template-lines", SpanLines)
        width = lines.size.width or self.size.width
        lines.set_lines(template_lines(*self._template, now, width) if self._template else ())
        lines = self.query_one("#schedule-lines", SpanLines)
        width = lines.size.width or self.size.width
        lines.set_lines(schedule_lines(*self._schedule, now, width, keys) if self._schedule else ())
        self._show_detail()

    # Panes.

    @on(DescendantFocus)
    def _focus_moved(self) -> None:
        if isinstance(self.focused, TemplateTable | ScheduleTable):
            self._bring_forward(on_schedules=self.focused is self.schedules)

    def _bring_forward(self, *, on_schedules: bool) -> None:
        """Shows this list, if there is room for only one, and the pane that belongs to it."""
        if on_schedules != self._on_schedules:
            self._on_schedules = on_schedules
            self._read_detail()
        self.set_class(on_schedules, "-schedules-first")
        self.query_one(PaneTabs).chosen = int(on_schedules)
        self._show_detail()
        self.refresh_bindings()

    def _show_detail(self) -> None:
        """Shows the pane of the list that had the focus last. If no row is selected, the list takes
        the room of the pane."""
        for pane, shows in (
            ("#template-text", not self._on_schedules and self.templates.selected is not None),
            ("#schedule-pane", self._on_schedules and self._schedule is not None),
        ):
            widget = self.query_one(pane)
            if not shows and widget.has_focus_within:  # a hidden widget would lose it
                self.set_focus(self.table)
            widget.display = shows

    @on(PaneTabs.Chosen)
    def _tab_chosen(self, message: PaneTabs.Chosen) -> None:
        self.show_pane(self.schedules if message.number else self.templates)

    @property
    def panes(self) -> Sequence[Widget]:
        """Templates, the text of one, schedules, what is known of one, and its history."""
        selected = self.templates.selected is not None  # its text may not be read yet
        template = (self.query_one("#template-text"),) if selected else ()
        schedule: tuple[Widget, ...] = ()
        if self._schedule is not None:
            schedule = self.query_one("#schedule-text"), self.runs
        return self.templates, *template, self.schedules, *schedule

    def show_pane(self, pane: Widget) -> None:
        """Focuses a pane, beside its list."""
        of_schedule = pane is self.schedules or self.query_one("#schedule-pane") in pane.ancestors
        self._bring_forward(on_schedules=of_schedule)
        self.set_focus(pane)

    # What the keys act on.

    @property
    def selected_schedule(self) -> Schedule | None:
        """The selected schedule; None if there is none."""
        row = self.schedules.selected
        return row.schedule if row else None

    def label_of(self, action: Action) -> str:
        schedule = self.selected_schedule if self.is_mounted else None
        if action.id == "pause_schedule" and schedule is not None and schedule.paused:
            return "Resume"
        return super().label_of(action)

    def is_useful(self, action: Action) -> bool:
        """In the list of templates `n` writes a new one."""
        in_templates = self.focused_pane is Pane.TEMPLATES
        return not (action.id == "new_task" and in_templates) and super().is_useful(action)

    def show_created(self, task_id: int) -> None:
        """Opens the new task."""
        self.app.call_later(self.app.run_action, open_task(task_id))

    def action_faults_only(self) -> None:
        if self._on_schedules:
            super().action_faults_only()
        else:
            key = key_of("next_pane", self.link.keys)
            self.notify(f"A template has no problems: {key} goes to the schedules.", markup=False)

    @on(RowTable.Opened)
    async def action_open(self) -> None:
        """Opens the form of a template, goes to the history of a schedule, opens a task of it."""
        if self.focused is self.runs:
            if (row := self.runs.selected) is not None and row.run.task_id:
                await self.app.run_action(open_task(row.run.task_id))
            elif row is not None:
                self.notify("At this due time no task was started.", markup=False)
        elif not self._on_schedules:
            self.action_run_saved()
        elif self._schedule is not None:
            self.set_focus(self.runs)

    def action_run_saved(self) -> None:
        """Opens the form of the template, or starts the task of the schedule after asking."""
        template, schedule = self.templates.selected, self.selected_schedule
        if self._on_schedules and schedule is not None:
            self.run_to_end(run_schedule(self.app, self.link, schedule.spec.name))
        elif not self._on_schedules and template is not None:
            self.run_to_end(run_template(self.app, self.link, template, self.task_created))
        else:
            self.notify("Select a template or a schedule to run.", markup=False)

    def action_pause_schedule(self) -> None:
        """Pauses the selected schedule, or resumes it."""
        if (schedule := self._schedule_or_notice("pause or resume")) is not None:
            self.run_to_end(pause_or_resume_schedule(self.app, self.link, schedule))

    def action_add_schedule(self) -> None:
        """Opens the form, for the selected template if the templates have the focus."""
        template = None if self._on_schedules else self.templates.selected
        name = template.name if template else ""
        self.run_to_end(add_schedule(self.app, self.link, name, self._schedule_added))

    def action_edit_schedule(self) -> None:
        """Opens the form of the selected template or schedule."""
        if not self._on_schedules and (template := self.templates.selected) is not None:
            self.run_to_end(edit_template(self.app, self.link, template.name, self.task_created))
        elif (schedule := self._schedule_or_notice("edit")) is not None:
            self.run_to_end(edit_schedule(self.app, self.link, schedule.spec.name))

    def action_new_template(self) -> None:
        """Opens the form of a task file, which can be saved as a template."""
        self.run_to_end(edit_template(self.app, self.link, "", self.task_created))

    def action_delete_saved(self) -> None:
        """Deletes the selected template or schedule after asking."""
        template, schedule = self.templates.selected, self.selected_schedule
        if self._on_schedules and schedule is not None:
            self.run_to_end(delete_schedule(self.app, self.link, schedule, self.schedules))
        elif not self._on_schedules and template is not None:
            self.run_to_end(delete_template(self.app, self.link, template, self.templates))
        else:
            self.notify("Select a template or a schedule to delete.", markup=False)

    def _schedule_or_notice(self, verb: str) -> Schedule | None:
        """The selected schedule. Says what is missing if the schedules have not the focus."""
        if self._on_schedules and (schedule := self.selected_schedule) is not None:
            return schedule
        self.notify(f"Select a schedule to {verb}.", markup=False)
        return None

    def _schedule_added(self, name: str) -> None:
        if is_open(self):  # or it was closed meanwhile
            self.show_pane(self.schedules)
            self.schedules.find(name)
