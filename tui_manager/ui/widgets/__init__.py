"""What is drawn inside a screen."""
