"""What syncd says to people: messages with their values, put into the reader's language where they are shown."""
