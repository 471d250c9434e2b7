-- What is done once for the rows from before, while what it makes is not there yet. Each step has a name, and can go
-- when no database needs it any more.

-- mail_directory: accounts from before this column keep the directory that they had, which followed from the
-- address. A generated column fills it in without an UPDATE, which would fire the triggers of others.
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
