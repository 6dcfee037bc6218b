"""Sources behind an address: access (credentials, TLS), the HTTP client, the source of one file, and its cache."""
