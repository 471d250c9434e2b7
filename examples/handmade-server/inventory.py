"""The host, and how SSH reaches it."""

hosts = [("mail.example.org", {"ssh_user": "root"})]
