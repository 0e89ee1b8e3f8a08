"""Commands on their way to agents: what may be sent, whose turn it is, what agents and other
managers still have to do."""
