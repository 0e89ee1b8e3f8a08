"""The ways out to receivers of notifications: programs, and web servers. What is sent, and when, is
decided in `service/notifications/`."""
