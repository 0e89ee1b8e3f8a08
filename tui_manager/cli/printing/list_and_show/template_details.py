"""One template for people and for scripts: what `template show` prints."""

from tui_manager.cli.printing.list_and_show.steps import step_table
from tui_manager.cli.printing.text_table import table
from tui_manager.cli.printing.write_text import local_time, one_line
from tui_manager.domain.presentation.json_fields import Shape, template_shape, timestamp
from tui_manager.domain.task_files.task_file import TaskFile
from tui_manager.domain.task_files.template import TemplateDetail, TemplateVersion
from tui_manager.domain.task_spec.task_parameters import Parameter

_PARAMETER_COLUMNS = ("PARAMETER", "REQUIRED", "VALUE", "DEFAULT", "ABOUT")


def template_text(detail: TemplateDetail, task_file: TaskFile) -> str:
    """What is known of one version of a template.

    Args:
        task_file: that of its text.
    """
    template, spec = detail.template, task_file.spec
    newest = detail.version == template.version
    lines = [
        ("Template", str(TemplateVersion(template.name, detail.version))),
        ("Newest", "" if newest else str(TemplateVersion(template.name, template.version))),
        ("Task", spec.name),
        ("About", spec.description),
        ("Target", spec.target or "none: give --target"),
        ("Rollout", "; ".join(spec.rollout.texts)),
        ("Schedules", ", ".join(detail.schedules)),
    ]
    head = "".join(f"{name:<11} {one_line(text)}\n" for name, text in lines if text)
    parts = [head, step_table(spec.commands)]
    if task_file.parameters:
        parts.append(_parameters(task_file))
    parts.append(_versions(detail))
    return "\n".join(parts)


def _parameters(task_file: TaskFile) -> str:
    rows = [
        (
            one.name,
            "yes" if one.must_be_given else "no",
            f"{one.form}, matches {one.pattern}" if one.pattern else one.form,
            "-" if one.default is None else one.default or '""',
            one.help or "-",
        )
        for one in task_file.parameters
    ]
    return table(_PARAMETER_COLUMNS, rows, stretch=(4, 2, 3))


def _versions(detail: TemplateDetail) -> str:
    rows = [(str(one.version), local_time(one.saved_at), one.saved_by) for one in detail.versions]
    return table(("VERSION", "SAVED", "BY"), rows, stretch=(2,))


def template_detail_shape(detail: TemplateDetail, task_file: TaskFile) -> Shape:
    """What `template show --json` prints."""
    return {
        **template_shape(detail.template),
        "version": detail.version,
        "newest": detail.template.version,
        "description": task_file.spec.description,
        "target": task_file.spec.target,
        "parameters": [_parameter_shape(one) for one in task_file.parameters],
        "versions": [
            {
                "version": one.version,
                "saved_by": one.saved_by,
                "saved_at": timestamp(one.saved_at),
            }
            for one in detail.versions
        ],
        "schedules": list(detail.schedules),
        "text": detail.text,
    }


def _parameter_shape(parameter: Parameter) -> Shape:
    return {
        "name": parameter.name,
        "type": parameter.type,
        "default": parameter.default,
        "pattern": parameter.pattern or None,
        "choices": list(parameter.choices),
        "help": parameter.help,
        "required": parameter.must_be_given,
    }
