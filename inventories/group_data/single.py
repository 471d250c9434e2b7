"""Settings of a single host. docs/settings.md lists all."""

mail_hostname = "mail.example.org"
mail_domains = ["example.org"]
# certificates from Let's Encrypt, to whose terms this agrees; without it, one that nobody else signed
# mail_acme = True
# mail_acme_email = "admin@example.net"
mail_aliases = {"info@example.org": "alice@example.org"}
