"""Templates and schedules of the seeded fleet."""

from datetime import timedelta

from tests.support.fake_operator import FakeOperator
from tui_manager.domain.schedule import Overlap, ScheduleSpec, SkipReason, TemplateUse

RESTART = """\
name = "restart"
target = "role=web"
description = "Restarts a service, host after host, and checks that it answers."

[params.SERVICE]
type = "choice"
choices = ["nginx", "haproxy"]
default = "nginx"

[params.WAIT]
type = "integer"
default = 5
help = "seconds until the check"

[params.FORCE]
type = "boolean"
default = false

[params.NOTE]
required = false
help = "for the log"

[params.TICKET]
pattern = "OPS-[0-9]+"
help = "the ticket, like OPS-12"

[rollout]
batches = "1,rest"

[[steps]]
name = "drain"
run = "lb drain"

[[steps]]
name = "restart"
run = "systemctl restart $SERVICE"
barrier = true

[[steps]]
name = "undrain"
run = "lb undrain"
always = true
"""
BACKUP = """\
target = "role=db"
description = "Dumps all databases."

[params.BUCKET]
default = "nightly"

[[steps]]
run = "pg_dump --all | gzip > $BUCKET"
"""
CHECK = """\
target = "@all"

[[steps]]
run = "df -h /var/lib"
"""


async def save_templates(fleet: FakeOperator) -> None:
    """The first things that were done, days ago."""
    now = fleet.clock
    fleet.clock = now - timedelta(days=9)
    await fleet.save_template("backup", BACKUP)
    await fleet.save_template("restart", RESTART.replace("default = 5", "default = 1"))
    fleet.clock = now - timedelta(days=2)
    await fleet.save_template("restart", RESTART)
    use = TemplateUse("backup", parameters={"BUCKET": "weekly"})
    await fleet.add_schedule(ScheduleSpec("backup", "0 2 * * *", "Europe/Berlin", template=use))
    await fleet.add_schedule(
        ScheduleSpec("disk", "*/15 * * * *", "UTC", Overlap.WAIT, task_file=CHECK)
    )
    await fleet.add_schedule(ScheduleSpec("report", "0 7 * * mon", "UTC", task_file=CHECK))
    await fleet.pause_schedule("report")
    fleet.clock = now


async def add_history(fleet: FakeOperator) -> None:
    """What became of their due times, after the tasks that they started."""
    now = fleet.clock
    night = now.replace(hour=1, minute=0, second=0)
    for days, task_id, skipped, detail in (
        (3, 1, None, ""),
        (2, 0, SkipReason.OVERLAP, "Task 1 had not ended."),
        (1, 0, SkipReason.REFUSED, "All are in maintenance: db[1-3]."),
        (0, 2, None, ""),
    ):
        due = night - timedelta(days=days)
        fleet.add_run("backup", due, task_id=task_id, skipped=skipped, detail=detail)
    quarter = now.replace(minute=0, second=0)
    fleet.add_run(
        "disk", quarter - timedelta(hours=2), skipped=SkipReason.STOPPED, count=37,
        first_due=quarter - timedelta(hours=11),
    )  # fmt: skip
    fleet.add_run("disk", quarter, task_id=4)
    fleet.set_problem("backup", "The template backup needs a value for BUCKET.")
