"""The commands, each module for one kind of thing."""
