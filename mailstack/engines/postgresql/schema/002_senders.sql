-- What an account may do and wants, and the addresses beside its own that it may send as.

ALTER TABLE mail_users
    ADD IF NOT EXISTS can_send boolean DEFAULT true,
    ADD IF NOT EXISTS can_receive boolean DEFAULT true,
    ADD IF NOT EXISTS detail_folders boolean DEFAULT false;
ALTER TABLE mail_users
    ALTER can_send DROP DEFAULT, ALTER can_send TYPE boolean USING can_send::text::boolean,
    ALTER can_receive DROP DEFAULT, ALTER can_receive TYPE boolean USING can_receive::text::boolean,
    ALTER detail_folders DROP DEFAULT, ALTER detail_folders TYPE boolean USING detail_folders::text::boolean;
UPDATE mail_users SET can_send = coalesce(can_send, true), can_receive = coalesce(can_receive, true),
    detail_folders = coalesce(detail_folders, false)
    WHERE can_send IS NULL OR can_receive IS NULL OR detail_folders IS NULL;
ALTER TABLE mail_users
    ALTER can_send SET DEFAULT true, ALTER can_send SET NOT NULL,
    ALTER can_receive SET DEFAULT true, ALTER can_receive SET NOT NULL,
    ALTER detail_folders SET DEFAULT false, ALTER detail_folders SET NOT NULL;

CREATE TABLE IF NOT EXISTS mail_sender (email text NOT NULL, sender_email text NOT NULL);
ALTER TABLE mail_sender DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE mail_sender
    ADD IF NOT EXISTS email text,
    ADD IF NOT EXISTS sender_email text;

-- Rules are dropped and made anew, so that they are as written here whatever they were.
ALTER TABLE mail_sender
    DROP CONSTRAINT IF EXISTS mailstack_sender_key,
    DROP CONSTRAINT IF EXISTS mailstack_sender_form,
    DROP CONSTRAINT IF EXISTS mailstack_sender_user;
DROP TRIGGER IF EXISTS mailstack_fold ON mail_sender;
DROP FUNCTION IF EXISTS mailstack_fold_sender();
DROP INDEX IF EXISTS mailstack_sender_email;

ALTER TABLE mail_sender
    ALTER email DROP DEFAULT, ALTER email TYPE text, ALTER email SET NOT NULL,
    ALTER sender_email DROP DEFAULT, ALTER sender_email TYPE text, ALTER sender_email SET NOT NULL;

CREATE FUNCTION mailstack_fold_sender() RETURNS trigger LANGUAGE plpgsql AS $fold$
BEGIN
    NEW.email := lower(NEW.email COLLATE "C");
    NEW.sender_email := lower(NEW.sender_email COLLATE "C");
    RETURN NEW;
END $fold$;
REVOKE ALL ON FUNCTION mailstack_fold_sender() FROM PUBLIC;
CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON mail_sender
    FOR EACH ROW EXECUTE FUNCTION mailstack_fold_sender();

-- "@domain" is every address there. Postfix asks by the address, so that comes first in the key.
ALTER TABLE mail_sender
    ADD CONSTRAINT mailstack_sender_key UNIQUE (sender_email, email),
    ADD CONSTRAINT mailstack_sender_form CHECK (
        sender_email = split_part(sender_email, '@', 1) || '@' || split_part(sender_email, '@', 2)
        AND (sender_email ~ '^@' OR split_part(sender_email, '@', 1) ~ {mailbox_local_part})
        AND split_part(sender_email, '@', 2) ~ {domain}
        AND length(sender_email) <= {max_address}
    ),
    ADD CONSTRAINT mailstack_sender_user FOREIGN KEY (email) REFERENCES mail_users (email)
        ON UPDATE CASCADE ON DELETE CASCADE;
CREATE INDEX mailstack_sender_email ON mail_sender (email);

GRANT SELECT ON mail_sender TO {lookup};
