"""The operator's API over a unix socket: the client, the server, and here what both share, the file
of the socket and the errors. The messages are made in `conversion`."""
