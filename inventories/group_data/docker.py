"""Settings of the demo; `make demo` adds its domain and users from the command line."""

mail_hostname = "mail.example.org"
