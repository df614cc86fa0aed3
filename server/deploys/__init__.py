"""From a change (a push, a config, a scale, a restart, a rollback) to what serves.

preflight → build → release → start beside the old → probe → switch the router → drain the old →
stop. Whatever fails before the switch leaves the old release serving, untouched.
"""
