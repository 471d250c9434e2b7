"""Settings of the host: mail to these addresses goes to others elsewhere."""

mail_hostname = "mail.example.org"
mail_domains = ["example.org"]
mail_aliases = {
    "info@example.org": "team@example.net",
    "shop@example.org": ["anna@example.net", "ben@example.net"],
}
