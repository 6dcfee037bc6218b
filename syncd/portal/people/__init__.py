"""Who and what the portal knows: users, groups, sections, clients of the CRM, and the server's time zone."""
