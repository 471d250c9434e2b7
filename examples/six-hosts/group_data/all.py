"""Settings of all hosts."""

ssh_user = "root"
mail_domains = ["example.org"]
mail_firewall = True  # other hosts pass mail on without a login: no stranger may reach that port
