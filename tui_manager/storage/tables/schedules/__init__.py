"""The tables of schedules, of what became of their due times, and of the templates that they
start."""
