"""Settings of the host. docs/settings.md lists all."""

mail_hostname = "mail.example.org"
mail_domains = ["example.org"]
mail_aliases = {"info@example.org": "alice@example.org"}
mail_acme = True
mail_acme_email = "admin@example.net"
mail_webmail = True
mail_firewall = True
mail_backup_repository = "/var/backups/mail"  # better one elsewhere: docs/backup.md
