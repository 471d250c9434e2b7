-- PostfixAdmin's tables, of version 3.3, as far as MySQL and PostgreSQL have them alike, with some rows.
CREATE TABLE domain (domain varchar(255) NOT NULL PRIMARY KEY, description varchar(255) NOT NULL DEFAULT '',
    aliases int NOT NULL DEFAULT 0, mailboxes int NOT NULL DEFAULT 0, maxquota bigint NOT NULL DEFAULT 0,
    quota bigint NOT NULL DEFAULT 0, transport varchar(255) DEFAULT NULL, backupmx boolean NOT NULL DEFAULT false,
    created timestamp DEFAULT CURRENT_TIMESTAMP, modified timestamp DEFAULT CURRENT_TIMESTAMP,
    active boolean NOT NULL DEFAULT true, password_expiry int DEFAULT 0);
CREATE TABLE mailbox (username varchar(255) NOT NULL PRIMARY KEY, password varchar(255) NOT NULL,
    name varchar(255) NOT NULL DEFAULT '', maildir varchar(255) NOT NULL, quota bigint NOT NULL DEFAULT 0,
    local_part varchar(255) NOT NULL, domain varchar(255) NOT NULL, created timestamp DEFAULT CURRENT_TIMESTAMP,
    modified timestamp DEFAULT CURRENT_TIMESTAMP, active boolean NOT NULL DEFAULT true,
    phone varchar(30) NOT NULL DEFAULT '', email_other varchar(255) NOT NULL DEFAULT '',
    token varchar(255) NOT NULL DEFAULT '', token_validity timestamp DEFAULT CURRENT_TIMESTAMP,
    password_expiry timestamp DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE alias (address varchar(255) NOT NULL PRIMARY KEY, goto text NOT NULL, domain varchar(255) NOT NULL,
    created timestamp DEFAULT CURRENT_TIMESTAMP, modified timestamp DEFAULT CURRENT_TIMESTAMP,
    active boolean NOT NULL DEFAULT true);
CREATE TABLE alias_domain (alias_domain varchar(255) NOT NULL PRIMARY KEY, target_domain varchar(255) NOT NULL,
    created timestamp DEFAULT CURRENT_TIMESTAMP, modified timestamp DEFAULT CURRENT_TIMESTAMP,
    active boolean NOT NULL DEFAULT true);
INSERT INTO domain (domain, description, transport) VALUES ('ALL', '', ''), ('pa.example', 'Größe & <x>', 'virtual'),
    ('name.example', '', 'virtual');
INSERT INTO domain (domain, active) VALUES ('off.example', false);
INSERT INTO domain (domain, backupmx) VALUES ('backup.example', true);
INSERT INTO alias_domain (alias_domain, target_domain) VALUES ('name.example', 'pa.example');
INSERT INTO alias (address, goto, domain) VALUES
    ('info@pa.example', 'md5crypt@pa.example,bcrypt@pa.example', 'pa.example'),
    ('abuse@name.example', 'admin@pa.example', 'name.example'),
    ('known@backup.example', 'known@backup.example', 'backup.example'),
    ('off@pa.example', 'md5crypt@pa.example', 'pa.example');
UPDATE alias SET active = false WHERE address = 'off@pa.example';
