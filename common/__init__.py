"""What everything stands on: the error that a user can mend, and files that are never
half-written."""
