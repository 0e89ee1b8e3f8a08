"""The messages of agents: what may be said, and the same in the words of the domain."""
