"""The manager itself: its clock, its history, its figures, and what it tells those who watch."""
