"""The runtime that needs no container engine: processes under bubblewrap, kept by supervisord."""
