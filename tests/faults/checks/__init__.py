"""What must be true when everything has ended, and tests that the checks find what is wrong."""
