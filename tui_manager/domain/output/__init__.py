"""What commands print: text to lines, groups of hosts with the same output, search.

What makes text of its bytes, and makes it safe on a terminal, is in `text/safe_text.py`, as names
and labels need it too.
"""
