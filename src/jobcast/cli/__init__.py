"""The command line: parses, calls the client or the composition root, prints."""
