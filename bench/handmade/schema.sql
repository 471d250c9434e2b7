-- The article's tables, and twenty users in one domain.
CREATE ROLE mailro LOGIN PASSWORD 'mailro';
CREATE DATABASE mail;
\connect mail
CREATE TABLE mail_domain (domain_name text PRIMARY KEY, active boolean NOT NULL DEFAULT true);
CREATE TABLE mail_users (
    email text PRIMARY KEY,
    password text NOT NULL,
    home_directory text NOT NULL,
    quota_mb bigint NOT NULL DEFAULT 1024,
    domain_name text NOT NULL REFERENCES mail_domain,
    active boolean NOT NULL DEFAULT true
);
CREATE TABLE mail_alias (
    source_email text NOT NULL,
    destination_email text NOT NULL,
    domain_name text NOT NULL REFERENCES mail_domain,
    active boolean NOT NULL DEFAULT true,
    PRIMARY KEY (source_email, destination_email)
);
GRANT SELECT ON mail_domain, mail_users, mail_alias TO mailro;
INSERT INTO mail_domain VALUES ('example.org');
INSERT INTO mail_users (email, password, home_directory, domain_name)
    SELECT format('user%s@example.org', n), '!', format('/var/vmail/example.org/user%s', n), 'example.org'
    FROM generate_series(1, 20) AS n;
ANALYZE;
