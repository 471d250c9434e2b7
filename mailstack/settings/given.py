"""Made by `python -m mailstack.settings.signature`. Do not edit. Only type checkers and editors read it."""

from collections.abc import Mapping
from typing import Any, Literal, Required, TypedDict

from pydantic import SecretStr
from pyinfra.api.hiddenvalue import HiddenValue

Secret = str | SecretStr | HiddenValue
List = list[Any] | tuple[Any, ...]


class GivenSettings(TypedDict, total=False):
    """The settings that an inventory or a deploy may give."""

    mail_accounts_delete_mail: bool
    mail_accounts_policy: Literal["add-only", "authoritative"]
    mail_acme: bool
    mail_acme_challenge: Literal["http-01", "dns-01"]
    mail_acme_email: str | None
    mail_acme_propagation: int
    mail_acme_rsa: bool
    mail_acme_server: str
    mail_address: str | None
    mail_alias_domains: List | Mapping[str, Any]
    mail_aliases: List | Mapping[str, Any]
    mail_antivirus: bool
    mail_antivirus_unavailable: Literal["wait", "pass"]
    mail_autoexpunge: Mapping[str, Any]
    mail_backend_weight: int
    mail_backup_hours: int
    mail_backup_keep_days: int
    mail_backup_keep_months: int
    mail_backup_keep_weeks: int
    mail_backup_password: Secret | None
    mail_backup_repository: str | None
    mail_backup_s3_key_id: str | None
    mail_backup_s3_secret: Secret | None
    mail_backup_ssh_host_key: str | None
    mail_compression: Literal["none", "gz", "zstd"]
    mail_db_auth: Literal["password", "peer"]
    mail_db_dsn: Secret | None
    mail_db_engine: Literal["postgresql", "mysql"]
    mail_db_hba: List
    mail_db_host: str | None
    mail_db_lookup_password: Secret | None
    mail_db_lookup_role: str
    mail_db_name: str
    mail_db_owner: str
    mail_db_owner_password: Secret | None
    mail_db_port: int | None
    mail_db_primary: str | None
    mail_db_upgrade_password: Secret | None
    mail_db_upgrade_role: str
    mail_db_webmail_password: Secret | None
    mail_db_webmail_role: str
    mail_dkim_ed25519: bool
    mail_dmarc_policy: Literal["none", "quarantine", "reject"]
    mail_dmarc_reports: bool
    mail_dmarc_reports_to: str | None
    mail_dns_addresses: List
    mail_dns_check: bool
    mail_dns_key_algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"]
    mail_dns_key_name: str | None
    mail_dns_key_secret: Secret | None
    mail_dns_resolver: str | None
    mail_dns_server: str | None
    mail_domain: str | None
    mail_domains: List | Mapping[str, Any]
    mail_dovecot_extra: str
    mail_driver: Literal["sdbox", "maildir"] | None
    mail_encrypted_archives: bool
    mail_fail2ban: bool
    mail_fail2ban_guesses: int
    mail_fail2ban_hours: int
    mail_fail2ban_spared: List
    mail_firewall: bool
    mail_firewall_ports: List | Mapping[str, Any]
    mail_firewall_ssh_clients: List
    mail_forbidden_attachments: List
    mail_full_text_search: bool
    mail_hardening: bool
    mail_hide_client_address: bool
    mail_home_root: str
    mail_hostname: Required[str]
    mail_inet_interfaces: List
    mail_inet_protocols: Literal["all", "ipv4", "ipv6"]
    mail_last_login_minutes: int
    mail_local_aliases: Mapping[str, Any]
    mail_map_type: Literal["proxy:pgsql", "pgsql", "proxy:mysql", "mysql"] | None
    mail_max_userip_connections: int
    mail_message_size_limit: int
    mail_metrics: bool
    mail_metrics_clients: List
    mail_metrics_port: int
    mail_mta_sts: Literal["enforce", "testing", "none"]
    mail_mta_sts_mx: List
    mail_mydestination: List
    mail_mynetworks: List
    mail_myorigin: str
    mail_namespace_separator: Literal["/", "."]
    mail_own_from_only: bool
    mail_password_upgrade: bool
    mail_pop3: bool
    mail_postfix_main: Mapping[str, Any]
    mail_postfix_master: List | Mapping[str, Any]
    mail_postmaster: str
    mail_postscreen: bool
    mail_postscreen_deep_tests: bool
    mail_postscreen_dnsbl_sites: List
    mail_postscreen_dnsbl_threshold: int
    mail_postscreen_greet_wait: int
    mail_quota_warning_subject: str
    mail_quota_warning_text: str
    mail_quota_warnings: List
    mail_relay_domains: List | Mapping[str, Any]
    mail_relayhost: str
    mail_relayhost_password: Secret | None
    mail_relayhost_user: str | None
    mail_resolver: bool
    mail_resolver_forwarders: List
    mail_rspamd: bool
    mail_sender_relayhosts: Mapping[str, Any]
    mail_shared_folders: bool
    mail_sieve: bool
    mail_sieve_after: str
    mail_sieve_before: str
    mail_sieve_max_actions: int
    mail_sieve_max_redirects: int
    mail_sieve_max_script_size: int
    mail_sieve_max_scripts: int
    mail_sieve_max_storage: int
    mail_smtp_mta_sts: bool
    mail_smtp_tls_policy: Mapping[str, Any]
    mail_smtp_tls_reports: bool
    mail_smtpd_client_auth_rate_limit: int
    mail_smtpd_client_connection_count_limit: int
    mail_smtpd_client_connection_rate_limit: int
    mail_smtpd_client_message_rate_limit: int
    mail_smtpd_client_recipient_rate_limit: int
    mail_smtpd_hard_error_limit: int
    mail_smtpd_helo_restrictions: List
    mail_smtpd_relay_restrictions: List
    mail_smtpd_soft_error_limit: int
    mail_spam_allowed_networks: List
    mail_spam_allowed_senders: List
    mail_spam_blocked_networks: List
    mail_spam_blocked_senders: List
    mail_spam_training: Literal["server", "user"]
    mail_spf_all: Literal["-all", "~all"]
    mail_spf_mechanisms: List
    mail_srs: bool
    mail_tls_certificate: str | None
    mail_tls_key: Secret | None
    mail_tls_min_protocol: Literal["TLSv1.2", "TLSv1.3"]
    mail_tls_old_ciphers: bool
    mail_tls_reports_to: str | None
    mail_transport: Mapping[str, Any]
    mail_trusted_forwarders: List
    mail_trusted_sealers: List
    mail_user_message_daily_limit: int
    mail_user_message_rate_limit: int
    mail_user_recipient_daily_limit: int
    mail_user_recipient_rate_limit: int
    mail_users: List | Mapping[str, Any]
    mail_verify: bool
    mail_verify_ports: List
    mail_virtual: Mapping[str, Any]
    mail_virtual_alias_maps: List | None
    mail_virtual_mailbox_domains: List | None
    mail_virtual_mailbox_maps: List | None
    mail_vmail_gid: int | None
    mail_vmail_uid: int | None
    mail_web: bool | None
    mail_webmail: bool
