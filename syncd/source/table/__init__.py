"""Rows of a table under a header to entries, whatever file format the table comes from."""
