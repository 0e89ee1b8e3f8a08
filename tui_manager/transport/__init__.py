"""gRPC towards the agents: servers, sessions, and the conversion of their messages."""
