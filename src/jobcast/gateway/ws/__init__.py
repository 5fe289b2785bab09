"""The sockets of a gateway: one connection over the session, and the shells that own sockets."""
