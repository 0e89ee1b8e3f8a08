"""Real programs beside a test: managers, agents, terminals, bundles, earlier versions, and how
they start fast."""
