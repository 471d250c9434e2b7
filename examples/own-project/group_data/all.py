"""Settings of the host."""

mail_hostname = "mail.example.org"
mail_domains = ["example.org"]
