"""Who may be the manager and who may be a host: keys, certificates, tokens, sealed secrets."""
