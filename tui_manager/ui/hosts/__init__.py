"""Hosts on the screen: their list, the strip of the fleet, and what is done with them."""
