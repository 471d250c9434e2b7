-- Logins: when a user last logged in, and hashes that are replaced by better ones.

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
