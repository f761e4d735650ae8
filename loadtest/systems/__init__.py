"""What is measured, as processes and stores."""
