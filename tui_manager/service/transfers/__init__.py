"""Files on their way between this manager and agents: who may ask for what, how far each host is,
and the files that are fetched. Where the bytes are kept is in `files/`; the messages are in the
transport's `sessions/`.
"""
