"""Settings of both hosts."""

ssh_user = "root"
mail_hostname = "mail.example.org"
mail_domains = ["example.org"]
