"""E-mails to users: the messages, and limits on their number."""
