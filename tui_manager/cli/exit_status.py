"""The exit statuses of the program, on which scripts rely. A file of its own, because `main.py` and
the commands both return them."""

COMPLETED = 0
NOT_COMPLETED = 1  # some command did not complete, or the program failed
WRONG_USAGE = 2
UNREACHABLE = 3  # no manager answers
UNWRITABLE = 4  # output could not be written
INTERRUPTED = 130  # what a shell reports of a program that SIGINT ended
OUTPUT_CLOSED = 141  # what a shell reports of a program that SIGPIPE ended
