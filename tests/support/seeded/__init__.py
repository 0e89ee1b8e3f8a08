"""A fleet, its managers, schedules and transfers, the same each time: for snapshots and
screenshots."""
