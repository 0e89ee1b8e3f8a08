"""The command port and the live streams of agents: handshake, queues, renewal of certificates. What
a message may hold is in `messages`; what becomes of a report is in the service."""
