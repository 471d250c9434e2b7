-- The directories of users' mail. Files on disk belong to a user and not to its address: a new user with the address
-- of a removed one does not get its mail, Sieve scripts or rights.

-- The records of removed users.
DELIMITER //
CREATE TRIGGER mailstack_keep_former AFTER DELETE ON mail_users FOR EACH ROW
BEGIN
    INSERT INTO mail_former_users (email, directory)
    VALUES (OLD.email, COALESCE(OLD.home_directory, OLD.mail_directory));
    INSERT IGNORE INTO mail_former_addresses (email) VALUES (LOWER(OLD.email));
END //
CREATE TRIGGER mailstack_keep_address AFTER UPDATE ON mail_users FOR EACH ROW
    IF LOWER(NEW.email) <> LOWER(OLD.email) THEN
        INSERT IGNORE INTO mail_former_addresses (email) VALUES (LOWER(OLD.email));
    END IF //
DELIMITER ;
