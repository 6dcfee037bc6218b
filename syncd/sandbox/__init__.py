"""The simulated portal: a second, independent reading of PORTAL.md that users rehearse on and tests argue with.

It shares no code with the client, so that the two cannot share a bug.
"""
