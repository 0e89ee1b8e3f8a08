"""The wire of tui-manager: .proto files and the code generated from them by `make protos`."""

__version__ = "0.1.0"
