"""What outlives the agent: one small process for each command, `python -I -S launch.py FOLDER`.

It owns the command's pipes, output cap, timeout and kill. All of it starts with every command, so
it imports nothing but cheap built-in modules, and of the agent nothing outside this folder.
"""
