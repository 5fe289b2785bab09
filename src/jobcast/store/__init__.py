"""Where the truth is kept: the port that every store driver fills, and the drivers."""
