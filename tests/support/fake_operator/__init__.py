"""An operator's API in memory that behaves truthfully: its hosts, schedules, templates, files and
failures. Its tasks are in `tasks`."""
