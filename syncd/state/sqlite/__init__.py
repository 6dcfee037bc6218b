"""The ledger in a file of SQLite, for one process at a time."""
