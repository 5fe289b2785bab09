"""Writes `docs/reference` from the code, so that it can't say another thing: `make reference`."""
