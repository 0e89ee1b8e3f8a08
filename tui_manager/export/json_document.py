"""A task as JSON: what `task show --json` and `run --json` print, in one object."""

import json
import re
from collections.abc import AsyncIterator
from datetime import datetime

from tui_manager.domain.presentation.json_fields import (
    Shape,
    limits_shape,
    origin_shape,
    output_shape,
    steps_shape,
    task_shape,
    timestamp,
)
from tui_manager.domain.tasks.task import TaskDetail
from tui_manager.export.read_output import output_reader
from tui_manager.export.read_task import PrintedText, pages, with_heads
from tui_manager.operator.api import Operator

CUT = 1 << 20  # bytes of one stream of one command host, as in `run --json`
_INDENT = "\n    "
# Characters that a terminal may obey, or that turn its reading direction. JSON allows them as they
# are, within texts only, and so an escape can stand for each.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


async def json_document(
    operator: Operator, detail: TaskDetail, now: datetime
) -> AsyncIterator[str]:
    """The pieces of the document."""
    head = _json(task_shape(detail.task) | _facts(detail, now)).removesuffix("\n}")
    yield f'{head},\n  "hosts": ['
    comma = ""
    async with output_reader(operator, detail) as reader:
        async for page in pages(operator, detail.task.task_id):
            async for printed in with_heads(reader, page, CUT):
                shape = _host_shape(printed, detail)
                yield f"{comma}{_INDENT}{_json(shape).replace(chr(10), _INDENT)}"
                comma = ","
    yield "\n  ]\n}\n" if comma else "]\n}\n"


def _facts(detail: TaskDetail, now: datetime) -> Shape:
    described = {"description": detail.task.description}
    about = limits_shape(detail) | origin_shape(detail) | steps_shape(detail)
    return described | about | {"exported_at": timestamp(now)}


def _host_shape(printed: PrintedText, detail: TaskDetail) -> Shape:
    row, stdout, stderr = printed
    cut = bool(stdout.left_out or stderr.left_out)
    return output_shape(row, detail.commands[row.command].spec, stdout.text, stderr.text, cut=cut)


def _json(shape: Shape) -> str:
    text = json.dumps(shape, indent=2, ensure_ascii=False)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
