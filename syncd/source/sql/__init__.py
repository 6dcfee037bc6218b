"""Queries of databases, through SQLAlchemy: the statement, the reading, and values as the texts of a table."""
