"""The manager on the screen: its state, its figures, the audit."""
