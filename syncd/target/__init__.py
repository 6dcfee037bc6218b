"""What an entry becomes in the portal: a target turns entries into items and items into commands."""
