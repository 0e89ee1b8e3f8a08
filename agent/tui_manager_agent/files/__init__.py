"""Files to and from this host: the work of a copy and of a fetch, each in a thread of its own, and
what it exchanges with the manager meanwhile.

When a transfer starts and how it ends is decided in `executions/`. Nothing here knows the messages
of the protocol, or the stream.
"""
