"""gRPC towards the agents: `ports`, `sessions` on them, and `messages`. The service judges what an
agent says. The gRPC service of the operator is in `operator`."""
