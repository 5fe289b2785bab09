"""The steps from one release's tables to the next one's, for PostgreSQL.

Forward only, and careful: the schema of one release runs the code of the release before, so that
gateways and workers are replaced one by one. A step adds; what nobody uses any more is removed a
release later.
"""
