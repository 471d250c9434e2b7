<?php
// Written by mailstack; changes made here are undone by the next run. Debian's defaults.inc.php says what each of these is.

// The password is in pg_service.conf. The role's own schema is the first that it looks in.
$config['db_dsnw'] = 'pgsql://letters@/post?service=mailstack';

// Only this server has that certificate, whoever has signed it. A renewed one is known at once.
$tls = ['ssl' => [
    'verify_peer' => false,
    'verify_peer_name' => true,
    'peer_name' => 'mx.example.org',
    'peer_fingerprint' => [
        'sha256' => (string) openssl_x509_fingerprint((string) file_get_contents('/etc/ssl/mailstack/cert.pem'), 'sha256'),
    ],
]];
$config['imap_host'] = 'ssl://192.0.2.2:993';
$config['imap_conn_options'] = $tls;
$config['imap_timeout'] = 30;
$config['smtp_host'] = 'ssl://192.0.2.2:465';
$config['smtp_conn_options'] = $tls;
$config['smtp_timeout'] = 60;
$config['smtp_helo_host'] = 'mx.example.org';
$config['username_domain'] = 'example.net';

$config['des_key'] = substr((string) file_get_contents('/etc/mailstack/webmail/key'), 0, 32);
$config['cipher_method'] = 'AES-256-CBC';
$config['use_https'] = true;
$config['session_samesite'] = 'Strict';
$config['session_path'] = '/webmail/';
$config['session_lifetime'] = 30;
$config['login_rate_limit'] = 3;
$config['login_autocomplete'] = 2;
$config['display_product_info'] = 0;
$config['useragent'] = 'Roundcube Webmail';
$config['product_name'] = 'Webmail';
$config['max_message_size'] = 50331648;
$config['temp_dir'] = '/var/lib/mailstack-webmail';
$config['log_driver'] = 'syslog';
$config['syslog_id'] = 'mailstack-webmail';
$config['syslog_facility'] = LOG_MAIL;
$config['smtp_log'] = false;
$config['enable_installer'] = false;
$config['enable_spellcheck'] = false;
$config['quota_zero_as_unlimited'] = true;
$config['archive_mbox'] = 'Archive';

$config['plugins'] = ['mailstack', 'password', 'archive', 'managesieve', 'markasjunk'];
$config['password_driver'] = 'mailstack';
$config['password_confirm_current'] = true;
$config['password_minimum_length'] = 10;
$config['managesieve_host'] = 'tls://192.0.2.2';
$config['managesieve_conn_options'] = $tls;
$config['managesieve_vacation'] = 1;
$config['managesieve_raw_editor'] = true;
$config['markasjunk_spam_mbox'] = 'Junk';
unset($tls);
