"""The agent: dials its manager, runs the commands it is given, keeps every result until stored."""

__version__ = "0.2.0"
