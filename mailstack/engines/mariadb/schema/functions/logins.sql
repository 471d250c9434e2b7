-- Logins: the last login of a user, and the upgrade of hashes.

DELIMITER //

-- Record a login, unless one was recorded in the last so many minutes. Returns false: Dovecot runs this after a login,
-- and would use any row as a result. Errors are ignored, as Dovecot would drop the connection.
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

-- Whether an app password of the user has this digest and is for this service. It records the use, as
-- mailstack_record_login does; with 0 minutes it records none. It does not wait for a locked row.
CREATE OR REPLACE FUNCTION mailstack_use_app_password(login {address_type}, sent {text_type}, used {address_type}, minutes INT)
    RETURNS BOOLEAN MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
    DECLARE found, free BOOLEAN DEFAULT FALSE;
    DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END;
    SET found = EXISTS (
        SELECT 1 FROM mail_app_password AS a
        WHERE a.email = login AND a.digest = sent
            AND (a.service = 'all' OR a.service = 'imap' AND used IN ('imap', 'pop3') OR a.service = used)
    );
    IF found AND minutes > 0 THEN
        SELECT TRUE INTO free FROM mail_app_password
        WHERE email = login AND digest = sent
            AND (used_at IS NULL OR used_at <= UTC_TIMESTAMP() - INTERVAL minutes MINUTE)
        FOR UPDATE SKIP LOCKED;
        IF free THEN
            UPDATE mail_app_password SET used_at = UTC_TIMESTAMP() WHERE email = login AND digest = sent;
        END IF;
    END IF;
    RETURN found;
END //

-- Replace a hash of an older scheme with one of the current scheme, and never the other way. The inventory may still
-- declare the older one: password_origin, a digest of both hashes, proves that one replaced the other. It is not
-- stored for a hash without a salt, as it would help to guess that.
CREATE OR REPLACE FUNCTION mailstack_upgrade_password(login {address_type}, upgraded {text_type})
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
