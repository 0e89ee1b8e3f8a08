"""What all screens share: header, footer, tabs, help, palette. Forms are in `forms`."""
