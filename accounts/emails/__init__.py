"""The e-mails to users, and how welcome e-mails are sent."""
