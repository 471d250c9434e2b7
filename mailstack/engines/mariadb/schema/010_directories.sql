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

CREATE TRIGGER mailstack_keep_former AFTER DELETE ON mail_users FOR EACH ROW
    INSERT INTO mail_former_users (email, directory)
    VALUES (OLD.email, COALESCE(OLD.home_directory, OLD.mail_directory));
