"""Databases and their servers, as tests start, stall and lose them."""
