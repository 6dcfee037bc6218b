"""The ledger in PostgreSQL, for several machines."""
