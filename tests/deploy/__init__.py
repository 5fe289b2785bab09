"""What containers would run, run without them: `make deploy-check`."""
