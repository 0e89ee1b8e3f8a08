"""Hosts on the screen: their table, facts, the line of the fleet, and the keys that act on them."""
