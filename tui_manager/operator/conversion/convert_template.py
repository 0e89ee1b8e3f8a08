"""Templates between the wire and the domain."""

from tui_manager_protos.v1 import operator_pb2 as wire

from tui_manager.domain.task_files.template import SavedVersion, Template, TemplateDetail
from tui_manager.operator.conversion.convert_values import instant, timestamp


def template_to_wire(template: Template) -> wire.Template:
    return wire.Template(
        name=template.name,
        version=template.version,
        description=template.description,
        saved_by=template.saved_by,
        saved_at=timestamp(template.saved_at),
        schedules=template.schedules,
    )


def template_from_wire(message: wire.Template) -> Template:
    return Template(
        name=message.name,
        version=message.version,
        description=message.description,
        saved_by=message.saved_by,
        saved_at=instant(message.saved_at),
        schedules=message.schedules,
    )


def detail_to_wire(detail: TemplateDetail) -> wire.TemplateDetail:
    return wire.TemplateDetail(
        template=template_to_wire(detail.template),
        version=detail.version,
        text=detail.text,
        versions=map(_saved_to_wire, detail.versions),
        schedules=detail.schedules,
    )


def detail_from_wire(message: wire.TemplateDetail) -> TemplateDetail:
    return TemplateDetail(
        template=template_from_wire(message.template),
        version=message.version,
        text=message.text,
        versions=tuple(map(_saved_from_wire, message.versions)),
        schedules=tuple(message.schedules),
    )


def _saved_to_wire(saved: SavedVersion) -> wire.SavedVersion:
    return wire.SavedVersion(
        version=saved.version, saved_by=saved.saved_by, saved_at=timestamp(saved.saved_at)
    )


def _saved_from_wire(message: wire.SavedVersion) -> SavedVersion:
    return SavedVersion(message.version, message.saved_by, instant(message.saved_at))
