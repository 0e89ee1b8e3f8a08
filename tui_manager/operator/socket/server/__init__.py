"""The server's side of the socket: servicers that convert, call the operator and convert back. A
file for related subjects."""
