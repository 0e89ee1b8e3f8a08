"""The command line of the agent: its options, its variables, the program itself.

What an option means for the work of the agent is not here.
"""
