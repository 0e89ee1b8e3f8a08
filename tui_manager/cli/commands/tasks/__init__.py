"""Commands about tasks, templates and schedules: `run`, `task`, `output`, `export`, `template`,
`schedule`, and what they print while a task runs. Those that copy and fetch are in `files`."""
