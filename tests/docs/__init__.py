"""The documentation says what the code does: its snippets, links and pages are held to it."""
