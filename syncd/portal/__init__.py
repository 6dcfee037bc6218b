"""The only way to the portal: bytes, limits, batches, one client. Nothing outside this room speaks HTTP to it."""
