"""What happens to an event between a call's parameters and its row, and between its row and the answer."""
