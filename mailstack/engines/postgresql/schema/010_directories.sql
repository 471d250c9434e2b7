-- Where the mail of an account lies. What is on disk belongs to the account and not to its address: whoever gets
-- an address that somebody else had finds nothing of that account, neither mail nor Sieve scripts nor rights.

DROP TRIGGER IF EXISTS mailstack_give_directory ON mail_users;
DROP TRIGGER IF EXISTS mailstack_keep_former ON mail_users;
DROP TRIGGER IF EXISTS mailstack_keep_address ON mail_users;
DROP FUNCTION IF EXISTS mailstack_give_directory();
DROP FUNCTION IF EXISTS mailstack_keep_former();
DROP FUNCTION IF EXISTS mailstack_keep_address();

-- Below mail_home_root; home_directory, if it has a value, comes first. Given when the row is inserted, and kept
-- when the address changes. Rows from before this column keep the directory that they had, which followed from
-- the address. A generated column fills it in without an UPDATE: that would fail for rows that break a rule.
DO $mailstack$ BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = 'mail_users'::regclass AND attname = 'mail_directory' AND NOT attisdropped
    ) THEN
        ALTER TABLE mail_users ADD mail_directory text GENERATED ALWAYS AS (
            lower((split_part(email, '@', 2) || '/' || split_part(email, '@', 1)) COLLATE "C")
        ) STORED;
        ALTER TABLE mail_users ALTER mail_directory DROP EXPRESSION;
    END IF;
END $mailstack$;
ALTER TABLE mail_users
    ALTER mail_directory DROP DEFAULT, ALTER mail_directory DROP NOT NULL, ALTER mail_directory TYPE text,
    ADD CONSTRAINT mailstack_users_directory CHECK (
        mail_directory IS NOT NULL AND mail_directory <> ''
        AND mail_directory !~ '[[:cntrl:]]|^/|(^|/)[.][.](/|$)'
    ) NOT VALID;

-- DOMAIN/LOCAL-PART.RANDOM: the name shows whose it was at first, and no other account ever had it.
CREATE FUNCTION mailstack_give_directory() RETURNS trigger LANGUAGE plpgsql AS $give$
BEGIN
    NEW.mail_directory := coalesce(
        NEW.mail_directory,
        lower((split_part(NEW.email, '@', 2) || '/' || split_part(NEW.email, '@', 1)) COLLATE "C")
            || '.' || right(gen_random_uuid()::text, 12)
    );
    RETURN NEW;
END $give$;
CREATE TRIGGER mailstack_give_directory BEFORE INSERT ON mail_users
    FOR EACH ROW EXECUTE FUNCTION mailstack_give_directory();

-- Removed accounts whose directories may still be there: for people, and for operations, which name them to whoever
-- uses such an address again. Delete a row together with its directory.
CREATE TABLE IF NOT EXISTS mail_former_users (email text NOT NULL);
ALTER TABLE mail_former_users DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE mail_former_users
    ADD IF NOT EXISTS email text,
    ADD IF NOT EXISTS directory text,
    ADD IF NOT EXISTS removed_at timestamptz DEFAULT now();
ALTER TABLE mail_former_users
    ALTER email DROP DEFAULT, ALTER email TYPE text, ALTER email SET NOT NULL,
    ALTER directory DROP DEFAULT, ALTER directory TYPE text, ALTER directory SET NOT NULL,
    ALTER removed_at DROP DEFAULT, ALTER removed_at TYPE timestamptz USING removed_at::text::timestamptz,
    ALTER removed_at SET DEFAULT now(), ALTER removed_at SET NOT NULL;

CREATE FUNCTION mailstack_keep_former() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $former$
BEGIN
    INSERT INTO mail_former_users (email, directory)
    VALUES (OLD.email, coalesce(OLD.home_directory, OLD.mail_directory));
    RETURN NULL;
END $former$;
CREATE TRIGGER mailstack_keep_former AFTER DELETE ON mail_users
    FOR EACH ROW EXECUTE FUNCTION mailstack_keep_former();

-- Addresses that accounts had. Others may have granted rights to them (RFC 4314), which lie by the address in the
-- others' mailboxes: until those are gone, and the row with them, an account of that name sees no shared folders.
CREATE TABLE IF NOT EXISTS mail_former_addresses (email text NOT NULL);
ALTER TABLE mail_former_addresses DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE mail_former_addresses
    ADD IF NOT EXISTS email text,
    DROP CONSTRAINT IF EXISTS mailstack_former_address_key;
ALTER TABLE mail_former_addresses
    ALTER email DROP DEFAULT, ALTER email TYPE text, ALTER email SET NOT NULL,
    ADD CONSTRAINT mailstack_former_address_key PRIMARY KEY (email);

CREATE FUNCTION mailstack_keep_address() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $former$
BEGIN
    -- NEW is not there for a DELETE, so that this stands in an IF of its own
    IF TG_OP = 'UPDATE' THEN
        IF lower(NEW.email COLLATE "C") = lower(OLD.email COLLATE "C") THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO mail_former_addresses (email) VALUES (lower(OLD.email COLLATE "C")) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $former$;
CREATE TRIGGER mailstack_keep_address AFTER DELETE OR UPDATE OF email ON mail_users
    FOR EACH ROW EXECUTE FUNCTION mailstack_keep_address();

REVOKE ALL ON FUNCTION mailstack_give_directory(), mailstack_keep_former(), mailstack_keep_address() FROM PUBLIC;
GRANT SELECT ON mail_former_addresses TO {lookup};
