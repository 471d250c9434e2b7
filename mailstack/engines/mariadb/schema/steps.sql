-- What is done once for the rows from before, while what it makes is not there yet. Each step has a name, and can go
-- when no database needs it any more.

-- mail_directory: accounts from before this column keep the directory that they had, which followed from the address.
ALTER TABLE IF EXISTS mail_users
    ADD COLUMN IF NOT EXISTS mail_directory {text_type} NOT NULL DEFAULT (
        LOWER(CONCAT(SUBSTRING_INDEX(email, '@', -1), '/', SUBSTRING_INDEX(email, '@', 1)))
    );
