"""HTTP and WebSocket: renders use cases, pushes events."""
