"""How the stream of an agent ended. A file of its own, because both the transport and the services
use it."""

from enum import StrEnum


class SessionEnd(StrEnum):
    """How the stream of an agent ended."""

    CLOSED = "closed"  # by the agent
    BROKEN = "broken"  # the connection was lost
    SILENT = "silent"  # nothing came for too long
    SLOW = "slow"  # the agent did not take files or scripts, and others waited
    REPLACED = "replaced"  # by a newer session of the same host
    REFUSED = "refused"  # the agent broke the rules, or its host was turned away
    CERTIFICATE = "certificate"  # its certificate has expired
    NO_DATABASE = "no_database"  # this manager cannot use the database
    STOPPED = "stopped"  # the manager stops
