-- Addresses in this server's domains are stored in lower case, as Postfix and Dovecot look them up.

-- A destination: in lower case in this server's domains; elsewhere the local part keeps its case (RFC 5321, 2.4).
CREATE FUNCTION mailstack_destination(address text) RETURNS text LANGUAGE plpgsql STABLE AS $destination$
DECLARE
    domain text := lower(substring(address FROM '[^@]*$') COLLATE "C");
BEGIN
    IF EXISTS (SELECT FROM mail_domain AS d WHERE d.domain_name = domain)
        OR EXISTS (SELECT FROM mail_alias_domain AS x WHERE x.alias_domain = domain)
    THEN
        RETURN lower(address COLLATE "C");
    END IF;
    RETURN left(address, -length(domain)) || domain;
END $destination$;
REVOKE ALL ON FUNCTION mailstack_destination(text) FROM PUBLIC;

CREATE FUNCTION mailstack_fold() RETURNS trigger LANGUAGE plpgsql AS $fold$
BEGIN
    CASE TG_TABLE_NAME
        {fold_cases}
    END CASE;
    RETURN NEW;
END $fold$;
REVOKE ALL ON FUNCTION mailstack_fold() FROM PUBLIC;

{fold_triggers}
