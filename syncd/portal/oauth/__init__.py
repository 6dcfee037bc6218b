"""A local application's way in: its tokens, the server that renews them, and the rules of both (PORTAL.md 11)."""
