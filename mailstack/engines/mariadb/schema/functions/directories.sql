-- Where the mail of an account lies. What is on disk belongs to the account and not to its address: whoever gets
-- an address that somebody else had finds nothing of that account, neither mail nor Sieve scripts nor rights.

-- What a removed account leaves behind.
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
