"""Templates and schedules of the seeded fleet."""

from datetime import timedelta

from tests.support.fake_operator.fake_operator import FakeOperator
from tui_manager.domain.schedules.schedule import Overlap, ScheduleSpec, SkipReason, TemplateUse

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
KEEP = """
[params.KEEP]
type = "integer"
help = "weeks until it is removed"
"""
CHECK = """\
name = "check disk"
target = "role=db"

[[steps]]
run = "df -h /var/lib"
timeout = "5m"

[[steps]]
run = "pg_isready"
timeout = "5m"
"""
LACKS_KEEP = "These parameters need a value: KEEP (integer)."
IN_MAINTENANCE = (
    "All hosts that match are left out: in maintenance: db[1-3]. To run on hosts in maintenance, "
    "include hosts in maintenance (--include-maintenance)."
)
REPORT = """\
target = "@all"

[[steps]]
run = "df -h /var/lib"
"""


async def save_templates(fleet: FakeOperator) -> None:
    """The first things that were done, days ago. Yesterday the template of a schedule got a
    parameter that the schedule has no value for."""
    now = fleet.clock
    fleet.clock = now - timedelta(days=9)
    await fleet.save_template("backup", BACKUP)
    await fleet.save_template("restart", RESTART.replace("default = 5", "default = 1"))
    use = TemplateUse("backup", parameters={"BUCKET": "weekly"})
    await fleet.add_schedule(ScheduleSpec("backup", "0 2 * * *", "Europe/Berlin", template=use))
    fleet.clock = now - timedelta(days=3, hours=6)
    await fleet.add_schedule(
        ScheduleSpec("disk", "0 11 * * *", "UTC", Overlap.WAIT, task_file=CHECK)
    )
    await fleet.add_schedule(ScheduleSpec("report", "0 7 * * mon", "UTC", task_file=REPORT))
    await fleet.pause_schedule("report")
    fleet.clock = now - timedelta(days=2)
    await fleet.save_template("restart", RESTART)
    fleet.clock = now - timedelta(hours=19)
    await fleet.save_template("backup", BACKUP.replace("[[steps]]", f"{KEEP[1:]}\n[[steps]]"))
    fleet.clock = now


async def add_history(fleet: FakeOperator, check_disk: int) -> None:
    """What became of their due times: one was paused at first, the manager was stopped for two
    days, then the hosts were in maintenance.

    Args:
        check_disk: the task that the last due time has started.
    """
    day = timedelta(days=1)
    night = fleet.now().replace(hour=1, minute=0, second=0)
    noon = fleet.now().replace(hour=11, minute=0, second=0)
    paused, first = night - 4 * day, night - 8 * day
    fleet.add_run("backup", paused, skipped=SkipReason.PAUSED, count=5, first_due=first)
    for name, due in (("backup", night), ("disk", noon)):
        stopped, first = due - 2 * day, due - 3 * day
        fleet.add_run(name, stopped, skipped=SkipReason.STOPPED, count=2, first_due=first)
        fleet.add_run(name, due - day, skipped=SkipReason.REFUSED, detail=IN_MAINTENANCE)
    fleet.add_run("backup", night, skipped=SkipReason.REFUSED, detail=LACKS_KEEP)
    fleet.add_run("disk", noon, task_id=check_disk)
    fleet.set_problem("backup", LACKS_KEEP)
