"""Programs that measure and wear out the product; nothing of the product imports them."""

import os

# A program that may not keep its compiled code compiles all of it at each start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
