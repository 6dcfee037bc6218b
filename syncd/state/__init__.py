"""The ledger: what syncd remembers between passes. Nothing outside this room knows that it is SQLite."""
