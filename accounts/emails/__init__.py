"""E-mail: the addresses of users, the messages to them, and the links in the messages."""
