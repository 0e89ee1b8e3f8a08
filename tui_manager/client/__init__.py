"""The client of scripts and of the commands: connects to a manager, and does what operators do. It
needs nothing of the screen, the services or the database."""
