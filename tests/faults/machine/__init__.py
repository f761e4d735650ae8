"""What `make faults` breaks beside processes and connections: their clocks, and their disks."""
