"""The terminal and what makes Textual safe on it: driver, errors, what is typed. No widgets."""
