"""HTTP: routes by resource, and what they share."""
