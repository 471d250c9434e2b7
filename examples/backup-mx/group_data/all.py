"""Settings of the host. It knows the addresses that the primary has, so that it refuses others."""

mail_hostname = "mx2.example.org"
mail_relay_domains = [
    {
        "domain_name": "example.org",
        "recipients": ["alice@example.org", "info@example.org"],
        "next_hop": "[mail.example.org]:25",
    },
]
