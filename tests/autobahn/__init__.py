"""Autobahn's test suite against the socket class: `make autobahn`, or the test beside this."""
