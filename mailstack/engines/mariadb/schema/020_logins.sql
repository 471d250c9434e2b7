-- Logins: app passwords, when a user last logged in, and hashes that are replaced by better ones.

-- What the hash came from that a login put in the place of an older one: see mailstack_upgrade_password.
ALTER TABLE mail_users ADD COLUMN IF NOT EXISTS password_origin {text};
ALTER TABLE mail_users MODIFY password_origin {text};

CREATE TABLE IF NOT EXISTS mail_app_password (email {address_type} NOT NULL) {table};
CREATE TABLE IF NOT EXISTS mail_last_login (email {address_type} NOT NULL) {table};
ALTER TABLE mail_app_password
    ADD COLUMN IF NOT EXISTS email {address_type} NOT NULL,
    ADD COLUMN IF NOT EXISTS name {address_type} NOT NULL,
    ADD COLUMN IF NOT EXISTS digest {address_type} NOT NULL,
    ADD COLUMN IF NOT EXISTS service {address_type} NOT NULL DEFAULT 'all';
ALTER TABLE mail_last_login
    ADD COLUMN IF NOT EXISTS email {address_type} NOT NULL,
    ADD COLUMN IF NOT EXISTS service {address_type} NOT NULL,
    ADD COLUMN IF NOT EXISTS at DATETIME NOT NULL;

-- digest: see passwords.app_digest. A login finds its row by it, so one user has it once.
ALTER TABLE mail_app_password
    MODIFY email {address_type} NOT NULL,
    MODIFY name {address_type} NOT NULL,
    MODIFY digest {address_type} NOT NULL,
    MODIFY service {address_type} NOT NULL DEFAULT 'all',
    DROP INDEX IF EXISTS mailstack_app_password_key,
    ADD UNIQUE INDEX mailstack_app_password_key (email, name),
    DROP INDEX IF EXISTS mailstack_app_password_digest,
    ADD UNIQUE INDEX mailstack_app_password_digest (email, digest),
    {table};
ALTER TABLE mail_last_login
    MODIFY email {address_type} NOT NULL,
    MODIFY service {address_type} NOT NULL,
    MODIFY at DATETIME NOT NULL, -- UTC
    DROP INDEX IF EXISTS mailstack_last_login_key,
    ADD UNIQUE INDEX mailstack_last_login_key (email, service),
    {table};

CREATE TRIGGER mailstack_app_password_insert BEFORE INSERT ON mail_app_password FOR EACH ROW
    SET NEW.email = LOWER(NEW.email);
CREATE TRIGGER mailstack_app_password_update BEFORE UPDATE ON mail_app_password FOR EACH ROW
    SET NEW.email = LOWER(NEW.email);

ALTER TABLE mail_app_password
    ADD CONSTRAINT mailstack_app_password_form CHECK (
        name REGEXP {app_password_name} AND digest REGEXP '^[0-9a-f]{64}$' AND service IN ('all', 'imap', 'smtp')
        AND LOCATE('\n', CONCAT(name, digest)) = 0
    ),
    ADD CONSTRAINT mailstack_app_password_user FOREIGN KEY (email) REFERENCES mail_users (email)
        ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE mail_last_login
    ADD CONSTRAINT mailstack_last_login_user FOREIGN KEY (email) REFERENCES mail_users (email)
        ON UPDATE CASCADE ON DELETE CASCADE;

DELIMITER //

-- Record a good login, unless one is recorded of the last so many minutes. Returns false: Dovecot asks after a
-- login, and must not take anything for an answer. Whatever goes wrong is no error, which would cost Dovecot the
-- connection.
CREATE OR REPLACE FUNCTION mailstack_record_login(login {address_type}, used {address_type}, minutes INT)
    RETURNS BOOLEAN MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
    DECLARE EXIT HANDLER FOR SQLEXCEPTION RETURN FALSE;
    IF NOT EXISTS (
        SELECT 1 FROM mail_last_login AS l
        WHERE l.email = login AND l.service = used AND l.at > UTC_TIMESTAMP() - INTERVAL minutes MINUTE
    ) THEN
        INSERT INTO mail_last_login (email, service, at) VALUES (login, used, UTC_TIMESTAMP())
            ON DUPLICATE KEY UPDATE at = UTC_TIMESTAMP();
    END IF;
    RETURN FALSE;
END //

-- Put a hash of today's scheme in the place of an older one, and never in the place of another. What is
-- declared is the older one: password_origin tells, for these two hashes together, that one came from the
-- other. It is not recorded of a hash without a salt, which it would help to guess.
CREATE OR REPLACE FUNCTION mailstack_upgrade_password(login {address_type}, upgraded {text})
    RETURNS BOOLEAN MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
    UPDATE mail_users SET
        password_origin = IF(
            password REGEXP {salted_hash},
            SHA2(CONCAT(password, '\n', upgraded), 256), NULL
        ),
        password = upgraded
    WHERE email = login AND password NOT REGEXP '(?i)^[{]{current_scheme}[}]' AND upgraded REGEXP {current_hash};
    RETURN ROW_COUNT() > 0;
END //

DELIMITER ;
