"""Metrics for Prometheus: the table of all metrics, and the server that is scraped. What is counted
and measured is in `service/`; nothing here is counted, and nothing here changes anything."""
