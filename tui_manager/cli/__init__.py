"""The program `tui-manager`: `options` (arguments), `commands` (one file a command), `printing`
(text and JSON), settings (`load_settings`). It uses the manager only through the operator's
Protocol, except to start one or to open its database file."""
