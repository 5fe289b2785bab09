"""Fan-out, wake-ups and channel history: fast and shared, never the truth."""
