"""The metrics of a manager, and the server that is scraped."""
