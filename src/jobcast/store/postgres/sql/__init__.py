"""The hot statements of the PostgreSQL driver, whole, by what they are for.

Each works on a batch. Its columns come as arrays, or, where there are many rows, all of it as one
JSON text: that costs the process that sends it a third of what arrays do. Rows are locked in the
order of their ids, so that no two batches lock each other out.
"""
