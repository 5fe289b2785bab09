"""Pure rules of Jobcast: no await, clock, randomness or I/O; all of these come in as arguments."""
