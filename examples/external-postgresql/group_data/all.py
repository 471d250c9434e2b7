"""Settings of the host. The passwords come from the environment of the machine that runs pyinfra."""

from os import environ as _environ

mail_hostname = "mail.example.org"
mail_domains = ["example.org"]
mail_db_dsn = f"host=db.example.net user=dbadmin password={_environ['DB_PASSWORD']} sslmode=require"
mail_db_lookup_password = _environ["DB_LOOKUP_PASSWORD"]
