"""The control plane's end of the agents: channels that carry the wire, and a typed client on top.

Only this folder knows that there is a wire; it turns the agents' fault codes into our errors.
"""
