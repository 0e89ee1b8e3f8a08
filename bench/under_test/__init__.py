"""What a benchmark measures and needs for it: managers, fleets, databases, histories, and
processes that are asked."""
