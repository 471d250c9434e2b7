-- A domain is in one of Postfix's address classes (ADDRESS_CLASS_README): it has mailboxes, or its mail is relayed.
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
