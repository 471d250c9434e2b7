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
