"""The operator's API in the process of the manager: it calls the services, and says what needs
attention and how the manager is."""
