"""What is drawn, as pure functions from the domain's objects to cells; no widget, no app."""
