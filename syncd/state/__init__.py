"""The ledger: what syncd remembers between passes. Nothing outside this room knows in which database it is."""
