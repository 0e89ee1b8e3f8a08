"""What keys do to an output pane: search, save, pager, zoom, and its other actions."""
