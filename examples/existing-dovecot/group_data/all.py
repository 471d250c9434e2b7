"""Settings of the host: the addresses that Postfix accepts. Dovecot has their mail and their passwords."""

from secrets import token_urlsafe as _nobodys_password

mail_hostname = "mail.example.org"
mail_domains = ["example.org"]
mail_users = [
    {"email": email, "initial_password": _nobodys_password()}
    for email in ("alice@example.org", "bob@example.org")
]
mail_aliases = {"info@example.org": "alice@example.org"}
