"""Lists of any length: which rows are read and held, the table that draws them, the filter."""
