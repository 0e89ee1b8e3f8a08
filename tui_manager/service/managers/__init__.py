"""What several managers on one database do for each other: tell of changes, choose the leader. What
one manager needs alone does not belong here."""
