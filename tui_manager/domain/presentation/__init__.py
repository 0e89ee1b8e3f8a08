"""How tasks and hosts are shown by every program: words of their states, JSON, command lines.

What only the screen draws is in `ui/`; what only the command line prints is in `cli/printing/`.
"""
