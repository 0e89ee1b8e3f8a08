"""Lists of any length: the window of rows, their columns and cells, the filter."""
