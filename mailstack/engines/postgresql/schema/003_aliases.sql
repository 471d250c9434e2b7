-- Other names for a whole domain, aliases for a local part in all domains; and no alias goes in a circle.

-- mail_alias_domain: a domain whose addresses are those of another one. mail_wildcard: an alias for a local
-- part in every domain, where nothing else has that address.
CREATE TABLE IF NOT EXISTS mail_alias_domain (alias_domain text NOT NULL);
CREATE TABLE IF NOT EXISTS mail_wildcard (local_part text NOT NULL);
ALTER TABLE mail_alias_domain DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE mail_wildcard DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE mail_alias_domain
    ADD IF NOT EXISTS alias_domain text,
    ADD IF NOT EXISTS domain_name text,
    ADD IF NOT EXISTS active boolean;
ALTER TABLE mail_wildcard
    ADD IF NOT EXISTS local_part text,
    ADD IF NOT EXISTS destination_email text,
    ADD IF NOT EXISTS active boolean;

ALTER TABLE mail_alias_domain
    DROP CONSTRAINT IF EXISTS mailstack_alias_domain_key,
    DROP CONSTRAINT IF EXISTS mailstack_alias_domain_form,
    DROP CONSTRAINT IF EXISTS mailstack_alias_domain_target;
ALTER TABLE mail_wildcard
    DROP CONSTRAINT IF EXISTS mailstack_wildcard_key,
    DROP CONSTRAINT IF EXISTS mailstack_wildcard_form;
DROP TRIGGER IF EXISTS mailstack_fold ON mail_alias_domain;
DROP TRIGGER IF EXISTS mailstack_fold ON mail_wildcard;
DROP TRIGGER IF EXISTS mailstack_one_meaning ON mail_alias_domain;
DROP TRIGGER IF EXISTS mailstack_one_meaning ON mail_domain;
DROP FUNCTION IF EXISTS mailstack_fold_aliases();
DROP TRIGGER IF EXISTS mailstack_circle ON mail_alias;
DROP FUNCTION IF EXISTS mailstack_one_meaning();
DROP FUNCTION IF EXISTS mailstack_alias_circle();
DROP FUNCTION IF EXISTS mailstack_in_circle(text, text);
DROP INDEX IF EXISTS mailstack_alias_domain_target;

ALTER TABLE mail_alias_domain
    ALTER alias_domain DROP DEFAULT, ALTER alias_domain TYPE text, ALTER alias_domain SET NOT NULL,
    ALTER domain_name DROP DEFAULT, ALTER domain_name TYPE text, ALTER domain_name SET NOT NULL,
    ALTER active DROP DEFAULT, ALTER active TYPE boolean USING coalesce(active::text::boolean, true);
ALTER TABLE mail_alias_domain ALTER active SET DEFAULT true, ALTER active SET NOT NULL;
ALTER TABLE mail_wildcard
    ALTER local_part DROP DEFAULT, ALTER local_part TYPE text, ALTER local_part SET NOT NULL,
    ALTER destination_email DROP DEFAULT, ALTER destination_email TYPE text, ALTER destination_email SET NOT NULL,
    ALTER active DROP DEFAULT, ALTER active TYPE boolean USING coalesce(active::text::boolean, true);
ALTER TABLE mail_wildcard ALTER active SET DEFAULT true, ALTER active SET NOT NULL;

CREATE FUNCTION mailstack_fold_aliases() RETURNS trigger LANGUAGE plpgsql AS $fold$
BEGIN
    IF TG_TABLE_NAME = 'mail_wildcard' THEN
        NEW.local_part := lower(NEW.local_part COLLATE "C");
        NEW.destination_email := mailstack_destination(NEW.destination_email);
    ELSE
        NEW.alias_domain := lower(NEW.alias_domain COLLATE "C");
        NEW.domain_name := lower(NEW.domain_name COLLATE "C");
    END IF;
    RETURN NEW;
END $fold$;
REVOKE ALL ON FUNCTION mailstack_fold_aliases() FROM PUBLIC;
CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON mail_alias_domain
    FOR EACH ROW EXECUTE FUNCTION mailstack_fold_aliases();
CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON mail_wildcard
    FOR EACH ROW EXECUTE FUNCTION mailstack_fold_aliases();

-- A circle would be 550 for ever. An alias that has its own address among its destinations keeps a copy and
-- is none, and a +detail or upper case does not tell addresses apart. Two writers at once wait for each other, so
-- that neither closes the other's circle.
CREATE FUNCTION mailstack_in_circle(source text, destination text) RETURNS boolean LANGUAGE sql STABLE AS $circle$
    WITH RECURSIVE target (local, domain) AS (
        SELECT split_part(split_part(folded, '@', 1), '+', 1), split_part(folded, '@', 2)
        FROM (SELECT lower(destination COLLATE "C") COLLATE "default" AS folded) AS given
        UNION
        SELECT split_part(split_part(next.address, '@', 1), '+', 1), split_part(next.address, '@', 2)
        FROM target, LATERAL (
            SELECT lower(a.destination_email COLLATE "C") COLLATE "default" AS address FROM mail_alias a
            WHERE a.source_email = target.local || '@' || target.domain AND a.active
            UNION ALL
            SELECT target.local || '@' || x.domain_name FROM mail_alias_domain x
            WHERE x.alias_domain = target.domain
        ) AS next
    )
    SELECT source <> lower(destination COLLATE "C") AND source IN (SELECT local || '@' || domain FROM target)
$circle$;
CREATE FUNCTION mailstack_alias_circle() RETURNS trigger LANGUAGE plpgsql AS $circle$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('mailstack_circle'));
    IF NEW.active AND mailstack_in_circle(NEW.source_email, NEW.destination_email) THEN
        RAISE EXCEPTION 'the alias % -> % would close a circle', NEW.source_email, NEW.destination_email
            USING ERRCODE = 'check_violation', CONSTRAINT = 'mailstack_circle', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $circle$;
REVOKE ALL ON FUNCTION mailstack_in_circle(text, text), mailstack_alias_circle() FROM PUBLIC;
CREATE TRIGGER mailstack_circle AFTER INSERT OR UPDATE ON mail_alias
    FOR EACH ROW EXECUTE FUNCTION mailstack_alias_circle();

-- A domain has addresses of its own or those of another one.
CREATE FUNCTION mailstack_one_meaning() RETURNS trigger LANGUAGE plpgsql AS $meaning$
DECLARE
    name text := to_jsonb(NEW) ->> TG_ARGV[0];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('mailstack_circle'));
    IF EXISTS (SELECT FROM mail_alias_domain WHERE alias_domain = name)
        AND EXISTS (SELECT FROM mail_domain WHERE domain_name = name)
    THEN
        RAISE EXCEPTION '% would be a domain and an alias domain', name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'mailstack_one_meaning', TABLE = TG_TABLE_NAME;
    END IF;
    IF TG_TABLE_NAME = 'mail_alias_domain' AND EXISTS (
        SELECT FROM mail_alias WHERE active AND split_part(destination_email, '@', 2) = name
            AND mailstack_in_circle(source_email, destination_email)
    ) THEN
        RAISE EXCEPTION 'the alias domain % would close a circle of aliases', name
            USING ERRCODE = 'check_violation', CONSTRAINT = 'mailstack_circle', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $meaning$;
REVOKE ALL ON FUNCTION mailstack_one_meaning() FROM PUBLIC;
CREATE TRIGGER mailstack_one_meaning AFTER INSERT OR UPDATE ON mail_alias_domain
    FOR EACH ROW EXECUTE FUNCTION mailstack_one_meaning('alias_domain');
CREATE TRIGGER mailstack_one_meaning AFTER INSERT OR UPDATE ON mail_domain
    FOR EACH ROW EXECUTE FUNCTION mailstack_one_meaning('domain_name');

ALTER TABLE mail_alias_domain
    ADD CONSTRAINT mailstack_alias_domain_key PRIMARY KEY (alias_domain),
    ADD CONSTRAINT mailstack_alias_domain_form CHECK (alias_domain ~ {domain}),
    ADD CONSTRAINT mailstack_alias_domain_target FOREIGN KEY (domain_name) REFERENCES mail_domain (domain_name)
        ON UPDATE CASCADE;
ALTER TABLE mail_wildcard
    ADD CONSTRAINT mailstack_wildcard_key PRIMARY KEY (local_part, destination_email),
    ADD CONSTRAINT mailstack_wildcard_form CHECK (
        local_part ~ {mailbox_local_part}
        AND destination_email = split_part(destination_email, '@', 1) || '@' || split_part(destination_email, '@', 2)
        AND split_part(destination_email, '@', 1) ~ {local_part}
        AND split_part(destination_email, '@', 2) ~ {domain}
        AND length(destination_email) <= {max_address}
    );
CREATE INDEX mailstack_alias_domain_target ON mail_alias_domain (domain_name);

GRANT SELECT ON mail_alias_domain, mail_wildcard TO {lookup};
