"""Settings of a single host. docs/settings.md lists all."""

mail_hostname = "mail.example.org"
mail_domains = ["example.org"]
mail_aliases = {"info@example.org": "alice@example.org"}
