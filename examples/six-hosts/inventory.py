"""The hosts by their roles, and where they reach each other."""

mx = proxy = [
    ("mx1.example.org", {"mail_hostname": "mx1.example.org", "mail_address": "192.0.2.1"}),
    ("mx2.example.org", {"mail_hostname": "mx2.example.org", "mail_address": "192.0.2.2"}),
]
imap = [
    ("imap1.example.org", {"mail_hostname": "imap1.example.org", "mail_address": "192.0.2.3"}),
    ("imap2.example.org", {"mail_hostname": "imap2.example.org", "mail_address": "192.0.2.4"}),
]
db = [
    ("db1.example.org", {"mail_hostname": "db1.example.org", "mail_address": "192.0.2.5"}),
    ("db2.example.org", {"mail_hostname": "db2.example.org", "mail_address": "192.0.2.6"}),
]
