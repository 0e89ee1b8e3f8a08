"""Large copies and fetches on real hosts while the manager and agents are killed."""
