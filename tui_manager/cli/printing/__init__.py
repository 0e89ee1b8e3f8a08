"""What commands write: text, tables, JSON, and what happens when it cannot be written."""
