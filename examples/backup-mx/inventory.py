"""The host, and how SSH reaches it."""

hosts = [("mx2.example.org", {"ssh_user": "root"})]
