"""Documents of one task, for other programs and people: JSON, CSV, JUnit and an HTML page, a file
each. A document is made piece by piece, so that a large task needs little memory. It reads through
the operator's API alone."""
