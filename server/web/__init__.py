"""Pages for people. So far one: what this server is, and the three commands to deploy."""
