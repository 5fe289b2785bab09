"""What crosses a socket, said once: commands, frames, the session between them, HTTP's shapes."""
