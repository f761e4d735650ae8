"""E-mails to users: the messages, the links in them, and limits on their number."""
