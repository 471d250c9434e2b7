-- Domains that mail is relayed to, as a backup MX does, and who is known there: everybody else is refused at
-- RCPT, as what we took and the primary refuses would become a bounce to a forged sender.

CREATE TABLE IF NOT EXISTS mail_relay_domain (domain_name text NOT NULL);
CREATE TABLE IF NOT EXISTS mail_relay_recipient (address text NOT NULL);
ALTER TABLE mail_relay_domain DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE mail_relay_recipient DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE mail_relay_domain
    ADD IF NOT EXISTS domain_name text,
    ADD IF NOT EXISTS any_recipient boolean,
    ADD IF NOT EXISTS active boolean;
ALTER TABLE mail_relay_recipient
    ADD IF NOT EXISTS address text;

ALTER TABLE mail_relay_recipient
    DROP CONSTRAINT IF EXISTS mailstack_relay_recipient_key,
    DROP CONSTRAINT IF EXISTS mailstack_relay_recipient_form,
    DROP CONSTRAINT IF EXISTS mailstack_relay_recipient_domain;
ALTER TABLE mail_relay_domain
    DROP CONSTRAINT IF EXISTS mailstack_relay_domain_key,
    DROP CONSTRAINT IF EXISTS mailstack_relay_domain_form;
DROP TRIGGER IF EXISTS mailstack_fold ON mail_relay_domain;
DROP TRIGGER IF EXISTS mailstack_fold ON mail_relay_recipient;
DROP TRIGGER IF EXISTS mailstack_one_class ON mail_relay_domain;
DROP TRIGGER IF EXISTS mailstack_one_class ON mail_alias_domain;
DROP TRIGGER IF EXISTS mailstack_one_class ON mail_domain;
DROP FUNCTION IF EXISTS mailstack_fold_relay();
DROP FUNCTION IF EXISTS mailstack_one_class();
DROP INDEX IF EXISTS mailstack_relay_recipient_domain;

-- domain_name of a recipient is what the server derives, whatever stood there
ALTER TABLE mail_relay_recipient DROP COLUMN IF EXISTS domain_name;
ALTER TABLE mail_relay_recipient
    ALTER address DROP DEFAULT, ALTER address TYPE text, ALTER address SET NOT NULL;
ALTER TABLE mail_relay_recipient
    ADD domain_name text GENERATED ALWAYS AS (lower(substring(address FROM '[^@]*$') COLLATE "C")) STORED;
ALTER TABLE mail_relay_domain
    ALTER domain_name DROP DEFAULT, ALTER domain_name TYPE text, ALTER domain_name SET NOT NULL,
    ALTER any_recipient DROP DEFAULT,
    ALTER any_recipient TYPE boolean USING coalesce(any_recipient::text::boolean, false),
    ALTER active DROP DEFAULT, ALTER active TYPE boolean USING coalesce(active::text::boolean, true);
ALTER TABLE mail_relay_domain
    ALTER any_recipient SET DEFAULT false, ALTER any_recipient SET NOT NULL,
    ALTER active SET DEFAULT true, ALTER active SET NOT NULL;

CREATE FUNCTION mailstack_fold_relay() RETURNS trigger LANGUAGE plpgsql AS $fold$
BEGIN
    IF TG_TABLE_NAME = 'mail_relay_domain' THEN
        NEW.domain_name := lower(NEW.domain_name COLLATE "C");
    ELSE
        NEW.address := lower(NEW.address COLLATE "C");
    END IF;
    RETURN NEW;
END $fold$;
REVOKE ALL ON FUNCTION mailstack_fold_relay() FROM PUBLIC;
CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON mail_relay_domain
    FOR EACH ROW EXECUTE FUNCTION mailstack_fold_relay();
CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON mail_relay_recipient
    FOR EACH ROW EXECUTE FUNCTION mailstack_fold_relay();

-- A domain is in one of Postfix's address classes: its mailboxes are here, or its mail goes on.
CREATE FUNCTION mailstack_one_class() RETURNS trigger LANGUAGE plpgsql AS $class$
DECLARE
    name text := to_jsonb(NEW) ->> TG_ARGV[0];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('mailstack_class'));
    IF EXISTS (SELECT FROM mail_relay_domain WHERE domain_name = name) AND (
        EXISTS (SELECT FROM mail_domain WHERE domain_name = name)
        OR EXISTS (SELECT FROM mail_alias_domain WHERE alias_domain = name)
    ) THEN
        RAISE EXCEPTION '% would be a domain of ours and a relay domain', name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'mailstack_one_class', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $class$;
REVOKE ALL ON FUNCTION mailstack_one_class() FROM PUBLIC;
CREATE TRIGGER mailstack_one_class AFTER INSERT OR UPDATE ON mail_relay_domain
    FOR EACH ROW EXECUTE FUNCTION mailstack_one_class('domain_name');
CREATE TRIGGER mailstack_one_class AFTER INSERT OR UPDATE ON mail_alias_domain
    FOR EACH ROW EXECUTE FUNCTION mailstack_one_class('alias_domain');
CREATE TRIGGER mailstack_one_class AFTER INSERT OR UPDATE ON mail_domain
    FOR EACH ROW EXECUTE FUNCTION mailstack_one_class('domain_name');

ALTER TABLE mail_relay_domain
    ADD CONSTRAINT mailstack_relay_domain_key PRIMARY KEY (domain_name),
    ADD CONSTRAINT mailstack_relay_domain_form CHECK (domain_name ~ {domain});
ALTER TABLE mail_relay_recipient
    ADD CONSTRAINT mailstack_relay_recipient_key PRIMARY KEY (address),
    ADD CONSTRAINT mailstack_relay_recipient_form CHECK (
        address = split_part(address, '@', 1) || '@' || split_part(address, '@', 2)
        AND split_part(address, '@', 1) ~ {local_part}
        AND length(address) <= {max_address}
    ),
    ADD CONSTRAINT mailstack_relay_recipient_domain FOREIGN KEY (domain_name)
        REFERENCES mail_relay_domain (domain_name) ON DELETE CASCADE;
CREATE INDEX mailstack_relay_recipient_domain ON mail_relay_recipient (domain_name);

GRANT SELECT ON mail_relay_domain, mail_relay_recipient TO {lookup};
