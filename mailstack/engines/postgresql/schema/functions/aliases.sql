-- Aliases in a circle are refused, and so are addresses in an alias domain.

-- Mail to a circle would always be 550. An alias with its own address among its destinations keeps a copy, and is no
-- circle. Addresses that differ only in +detail or case are the same. Concurrent writers wait for each other, so that
-- neither closes a circle with the other's rows.
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

-- A domain has its own addresses, or as an alias domain those of another one.
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
