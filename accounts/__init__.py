"""The users of Footfall: accounts, logins, and the e-mails to them."""
