"""The apps' git repositories: bare, under home/repos, written by `git receive-pack` alone."""
