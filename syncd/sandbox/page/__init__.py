"""The calendar page of the sandbox: pages in HTML from plain values."""
