"""Activities and CRM elements: their columns and lists, and the tie between activities and calendar events."""
