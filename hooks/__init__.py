"""git's hooks of every app's repository: they ask the interface, and say what it says."""
