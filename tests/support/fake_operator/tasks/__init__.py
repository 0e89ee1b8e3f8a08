"""The tasks of the fake operator: their rows, output, rollouts, transfers, re-runs."""
