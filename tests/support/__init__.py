"""What several folders of tests share. What one folder needs alone stays there."""
