"""What both ports have in common (listening, certificates), and the enrolment port. The command
port is in `sessions`, because its streams are sessions."""
