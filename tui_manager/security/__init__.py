"""The certificate authority, certificates, keys and sealed secrets. Which host gets a certificate
is decided in `service.enrollment`; the rules of both sides (fingerprint, join token) are in
`tui_manager_protos.rules`."""
