"""One pass: recover, read, shape, diff, guard, push, report."""
