"""The tables of file sets, their bytes, and what copies and fetches did with them."""
