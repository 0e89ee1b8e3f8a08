"""The agent: connects to its manager, runs the commands that it gets, and keeps each result until
the manager has stored it."""

__version__ = "0.2.0"
