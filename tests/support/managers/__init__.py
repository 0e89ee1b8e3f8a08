"""The services of one or several managers on a real database, with hosts, clocks and messages that
tests turn."""
