"""Settings of the host, with the certificate that it has: a renewed one in the same files is used at once."""

mail_hostname = "mail.example.org"
mail_tls_certificate = "host:/etc/ssl/mail/cert.pem"
mail_tls_key = "host:/etc/ssl/mail/key.pem"
