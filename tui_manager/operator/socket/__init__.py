"""The operator's API over a unix socket: client, server, errors and timeouts. The messages are made
in `conversion`."""
