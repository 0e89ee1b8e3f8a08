"""What the agent keeps on disk of its executions, until the manager has acknowledged it.

Nothing here starts or kills a process, or knows the protocol. The format of a record is in
`supervisor/record.py`, because supervisors write them too.
"""
