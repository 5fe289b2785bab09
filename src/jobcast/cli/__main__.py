"""`python -m jobcast.cli`, for where the console script is not on the path."""

from jobcast.cli.main import main

main()
