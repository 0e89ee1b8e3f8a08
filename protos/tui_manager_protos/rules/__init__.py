"""Rules that manager and agent must apply in the same way. Standard library only."""
