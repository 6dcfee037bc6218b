"""What a simulated portal contains when it starts: world files, and the company used without one."""
