"""Activities and to-dos on the cards of the CRM (PORTAL.md 6)."""
