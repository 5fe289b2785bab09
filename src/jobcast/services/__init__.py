"""Use cases, shared by HTTP, WebSocket and CLI."""
