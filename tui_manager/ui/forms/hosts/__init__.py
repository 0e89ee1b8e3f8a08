"""The forms that change hosts, and those that make a join token and show how a host joins."""
