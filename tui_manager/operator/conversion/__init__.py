"""The operator's messages in the words of the domain, and back. No behaviour."""
