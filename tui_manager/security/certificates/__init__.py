"""Certificates: the authority that signs them, those of hosts, of both ports and of the operator,
how they are checked and how long they last."""
