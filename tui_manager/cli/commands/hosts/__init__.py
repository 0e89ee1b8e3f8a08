"""Commands about hosts and their agents: `hosts`, `token`, `agent`."""
