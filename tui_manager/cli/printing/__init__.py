"""Text, tables and JSON on stdout and stderr. Nothing here asks a manager."""
