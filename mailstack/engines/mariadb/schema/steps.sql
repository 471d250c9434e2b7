-- One-time changes of existing rows; each runs if its result does not exist yet. Each step has a name. Remove it once
-- no database needs it.

-- mail_directory: users from before this column keep their directory, which was derived from the address.
ALTER TABLE IF EXISTS mail_users
    ADD COLUMN IF NOT EXISTS mail_directory {text_type} NOT NULL DEFAULT (
        LOWER(CONCAT(SUBSTRING_INDEX(email, '@', -1), '/', SUBSTRING_INDEX(email, '@', 1)))
    );

-- mail_driver: users from before this column have a Maildir. The default for new users comes after this.
ALTER TABLE IF EXISTS mail_users ADD COLUMN IF NOT EXISTS mail_driver {word_type} NOT NULL DEFAULT 'maildir';
