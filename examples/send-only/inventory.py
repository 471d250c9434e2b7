"""The host, and how SSH reaches it."""

hosts = [("app.example.org", {"ssh_user": "root"})]
