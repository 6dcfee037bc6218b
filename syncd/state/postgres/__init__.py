"""The ledger in PostgreSQL, for several machines that share it; needs the extra `postgres`."""
