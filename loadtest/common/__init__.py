"""What all loads and the tests share."""
