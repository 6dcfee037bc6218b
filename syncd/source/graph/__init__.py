"""Microsoft Graph: calendars of people, rooms and shared mailboxes in Microsoft 365, followed by delta queries."""
