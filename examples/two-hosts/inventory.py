"""The hosts by their roles, and where they reach each other."""

db = [("db.example.org", {"mail_address": "192.0.2.1"})]
mx = [("mail.example.org", {"mail_address": "192.0.2.2"})]
imap = ["mail.example.org"]
