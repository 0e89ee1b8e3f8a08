"""Windows onto long lists, and the claims of what may be sent."""
