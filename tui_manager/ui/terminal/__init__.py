"""The screen and its terminal: input in turn, errors that end a screen, the driver."""
