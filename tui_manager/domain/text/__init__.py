"""How text is read and written anywhere: text that is safe on a terminal, numbers, sizes, instants,
regular expressions, sets of host names.

What one subject alone has is in its package. Nothing here knows tasks or hosts.
"""
