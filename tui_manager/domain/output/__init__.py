"""What commands print: bytes to lines, groups of hosts with the same output, search.

What makes it safe on a terminal is in `text/safe_text.py`, as names and labels need it too.
"""
