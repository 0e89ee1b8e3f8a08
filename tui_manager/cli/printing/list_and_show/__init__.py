"""What `list` and `show` of each command print: tables, and one host, task, schedule or template
as text."""
