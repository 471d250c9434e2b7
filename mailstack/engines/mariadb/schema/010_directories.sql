-- Where the mail of an account lies. What is on disk belongs to the account and not to its address: whoever gets
-- an address that somebody else had finds nothing of that account, neither mail nor Sieve scripts nor rights.

-- Below mail_home_root; home_directory, if it has a value, comes first. Given when the row is inserted, and kept
-- when the address changes. Rows from before this column keep the directory that they had, which followed from
-- the address: the first statement fills it in. It is a default and not a trigger, as triggers are missing for a
-- moment while the schema is converged.
ALTER TABLE mail_users
    ADD COLUMN IF NOT EXISTS mail_directory {text} NOT NULL DEFAULT (
        LOWER(CONCAT(SUBSTRING_INDEX(email, '@', -1), '/', SUBSTRING_INDEX(email, '@', 1)))
    );
-- DOMAIN/LOCAL-PART.RANDOM: the name shows whose it was at first, and no other account ever had it.
ALTER TABLE mail_users
    MODIFY mail_directory {text} NOT NULL DEFAULT (LOWER(CONCAT(
        SUBSTRING_INDEX(email, '@', -1), '/', SUBSTRING_INDEX(email, '@', 1), '.',
        LEFT(MD5(CONCAT(UUID(), RAND())), 12)
    ))),
    ADD CONSTRAINT mailstack_users_directory CHECK (
        mail_directory <> '' AND mail_directory NOT REGEXP '[[:cntrl:]]|^/|(^|/)[.][.](/|$)'
    );

-- Removed accounts whose directories may still be there: for people, and for operations, which name them to whoever
-- uses such an address again. Delete a row together with its directory.
CREATE TABLE IF NOT EXISTS mail_former_users (email {address_type} NOT NULL) {table};
ALTER TABLE mail_former_users
    ADD COLUMN IF NOT EXISTS email {address_type} NOT NULL,
    ADD COLUMN IF NOT EXISTS directory {text} NOT NULL,
    ADD COLUMN IF NOT EXISTS removed_at DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP());
ALTER TABLE mail_former_users
    MODIFY email {address_type} NOT NULL,
    MODIFY directory {text} NOT NULL,
    MODIFY removed_at DATETIME NOT NULL DEFAULT (UTC_TIMESTAMP()), -- UTC
    {table};

-- Addresses that accounts had. Others may have granted rights to them (RFC 4314), which lie by the address in the
-- others' mailboxes: until those are gone, and the row with them, an account of that name sees no shared folders.
CREATE TABLE IF NOT EXISTS mail_former_addresses (email {address_type} NOT NULL) {table};
ALTER TABLE mail_former_addresses ADD COLUMN IF NOT EXISTS email {address_type} NOT NULL;
ALTER TABLE mail_former_addresses
    MODIFY email {address_type} NOT NULL,
    DROP INDEX IF EXISTS mailstack_former_address_key,
    ADD UNIQUE INDEX mailstack_former_address_key (email),
    {table};

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
