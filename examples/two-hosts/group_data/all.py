"""Settings of both hosts."""

mail_hostname = "mail.example.org"
mail_domains = ["example.org"]
