"""Templates and schedules: their lists, what is shown of the selected one, and the keys."""
