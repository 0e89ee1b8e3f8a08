"""The soak: many emulated agents and constant tasks under faults, while memory is watched."""
