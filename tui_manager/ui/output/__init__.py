"""Output of commands on the screen: live, by groups, and saved to a file."""
