"""Files to and from this host: the work of a copy (`copy/`) and of a fetch (`fetch/`), each in a
thread of its own, and here what both share.

When a transfer starts and how it ends is decided in `executions/`. Nothing here knows the messages
of the protocol, or the stream.
"""
