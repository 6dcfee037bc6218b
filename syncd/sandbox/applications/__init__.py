"""Local applications of the simulated portal: who is authorised, and what they hear of (PORTAL.md 11)."""
