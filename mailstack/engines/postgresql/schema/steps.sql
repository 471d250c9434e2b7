-- One-time changes of existing rows; each runs if its result does not exist yet. Each step has a name. Remove it once
-- no database needs it.

-- mail_directory: users from before this column keep their directory, which was derived from the address. A generated
-- column fills it in without an UPDATE, which would fire triggers of others.
DO $mailstack$ BEGIN
    IF EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('mail_users') AND attname = 'email' AND NOT attisdropped
    ) AND NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('mail_users') AND attname = 'mail_directory' AND NOT attisdropped
    ) THEN
        ALTER TABLE mail_users ADD mail_directory text GENERATED ALWAYS AS (
            lower((split_part(email, '@', 2) || '/' || split_part(email, '@', 1)) COLLATE "C")
        ) STORED;
        ALTER TABLE mail_users ALTER mail_directory DROP EXPRESSION;
    END IF;
END $mailstack$;

-- mail_driver: users from before this column have a Maildir. The default for new users comes after this.
DO $mailstack$ BEGIN
    IF EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('mail_users') AND attname = 'email' AND NOT attisdropped
    ) THEN
        ALTER TABLE mail_users ADD IF NOT EXISTS mail_driver text NOT NULL DEFAULT 'maildir';
    END IF;
END $mailstack$;
