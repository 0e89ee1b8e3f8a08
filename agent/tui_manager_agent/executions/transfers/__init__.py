"""Copies, fetches and updates that run in threads of the agent, and their messages. The work
itself is in `files/`."""
