"""What all screens share: header, footer, help, palette, theme, messages."""
