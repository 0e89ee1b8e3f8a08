"""The terminal and what makes Textual safe on it: driver, errors, order of keys. No widgets."""
