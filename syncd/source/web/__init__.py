"""Sources behind an address: how to get in, how to fetch, and what to keep of what was fetched."""
