"""The version of the protocol between agent and manager. A file of its own, because both name it in
their messages and no other rule needs it."""

PROTOCOL_VERSION = 1  # another one only if old and new programs cannot understand each other
