"""The load run of `make load`."""
