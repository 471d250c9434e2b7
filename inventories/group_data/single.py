"""Settings of a single host. All that there are: docs/settings.md."""

mail_hostname = "mail.example.org"
mail_domains = ["example.org"]
mail_aliases = {"info@example.org": "alice@example.org"}
