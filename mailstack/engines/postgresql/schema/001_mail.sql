-- Domains, users and aliases, with the tables and columns of the article.
--
-- Creates them, adopts those that somebody made by hand, and heals what was changed: columns that are
-- missing are added, no row is touched. Old rows may break a rule: it then stands NOT VALID, and holds for
-- every row that is written from now on.

CREATE TABLE IF NOT EXISTS mail_domain (domain_name text NOT NULL);
CREATE TABLE IF NOT EXISTS mail_users (email text NOT NULL);
CREATE TABLE IF NOT EXISTS mail_alias (source_email text NOT NULL, destination_email text NOT NULL);

ALTER TABLE mail_domain DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE mail_users DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE mail_alias DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;

-- Rules and triggers are dropped and made anew, so that they are as written here whatever they were.
DO $mailstack$
DECLARE
    object record;
BEGIN
    FOR object IN
        SELECT conname, conrelid::regclass AS relation FROM pg_constraint
        WHERE conrelid IN (
                'mail_domain'::regclass, 'mail_users'::regclass, 'mail_alias'::regclass,
                -- of later files; what these refer to must be free to change
                to_regclass('mail_sender'), to_regclass('mail_alias_domain'),
                to_regclass('mail_app_password'), to_regclass('mail_last_login')
            )
            AND conname LIKE 'mailstack\_%' AND contype IN ('c', 'f')
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', object.relation, object.conname);
    END LOOP;
END $mailstack$;

DROP TRIGGER IF EXISTS mailstack_fold ON mail_domain;
DROP TRIGGER IF EXISTS mailstack_fold ON mail_users;
DROP TRIGGER IF EXISTS mailstack_fold ON mail_alias;
DROP FUNCTION IF EXISTS mailstack_fold();
DROP FUNCTION IF EXISTS mailstack_destination(text);
-- of a later file; with what it has yet to do at the end, tables could not be altered
DROP TRIGGER IF EXISTS mailstack_quota ON mail_users;
DROP TRIGGER IF EXISTS mailstack_quota ON mail_domain;

-- Columns: name, type, whether NULL is refused, default. A type that differs is changed by way of text, so
-- that 0, 1, 't' and 'no' become booleans.
DO $mailstack$
DECLARE
    wanted record;
    existing record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('mail_domain', 'domain_name', 'text', true, NULL),
            ('mail_domain', 'active', 'boolean', true, 'true'),
            ('mail_users', 'email', 'text', true, NULL),
            ('mail_users', 'password', 'text', true, NULL),
            ('mail_users', 'home_directory', 'text', false, NULL), -- NULL: below the mail root
            ('mail_users', 'quota_mb', 'bigint', false, NULL),
            ('mail_users', 'active', 'boolean', true, 'true'),
            ('mail_alias', 'source_email', 'text', true, NULL),
            ('mail_alias', 'destination_email', 'text', true, NULL),
            ('mail_alias', 'active', 'boolean', true, 'true')
        ) AS columns (relation, name, type, required, value)
    LOOP
        SELECT format_type(atttypid, atttypmod) AS type, attnotnull AS required INTO existing
        FROM pg_attribute
        WHERE attrelid = wanted.relation::regclass AND attname = wanted.name AND NOT attisdropped;

        IF NOT FOUND THEN
            EXECUTE format(
                'ALTER TABLE %I ADD %I %s %s',
                wanted.relation, wanted.name, wanted.type, 'DEFAULT ' || wanted.value
            );
            existing.required := false;
        ELSIF existing.type <> wanted.type THEN
            IF EXISTS ( -- a column that is generated from this one stands in the way
                SELECT FROM pg_attribute
                WHERE attrelid = wanted.relation::regclass AND attname = 'domain_name' AND attgenerated = 's'
            ) THEN
                EXECUTE format('ALTER TABLE %I DROP domain_name', wanted.relation);
            END IF;
            EXECUTE format(
                'ALTER TABLE %1$I ALTER %2$I DROP DEFAULT, ALTER %2$I TYPE %3$s USING %2$I::text::%3$s',
                wanted.relation, wanted.name, wanted.type
            );
        END IF;

        EXECUTE format(
            'ALTER TABLE %I ALTER %I %s',
            wanted.relation, wanted.name, coalesce('SET DEFAULT ' || wanted.value, 'DROP DEFAULT')
        );
        IF existing.required IS DISTINCT FROM wanted.required THEN
            BEGIN
                EXECUTE format(
                    'ALTER TABLE %I ALTER %I %s NOT NULL',
                    wanted.relation, wanted.name, CASE WHEN wanted.required THEN 'SET' ELSE 'DROP' END
                );
            EXCEPTION WHEN not_null_violation THEN
                RAISE WARNING '%.% has rows without a value', wanted.relation, wanted.name;
            END;
        END IF;
    END LOOP;
END $mailstack$;

-- The domain that an address belongs to, which the server derives; a column of that name that says the same
-- but was filled by hand gives way to it.
DO $mailstack$
DECLARE
    wanted record;
    existing record;
    differs boolean;
BEGIN
    FOR wanted IN
        SELECT
            relation,
            format('lower(("substring"(%I, ''[^@]*$''::text) COLLATE "C"))', address) AS value
        FROM (VALUES ('mail_users', 'email'), ('mail_alias', 'source_email')) AS columns (relation, address)
    LOOP
        SELECT attgenerated = 's' AS generated, pg_get_expr(adbin, adrelid) AS value INTO existing
        FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = wanted.relation::regclass AND attname = 'domain_name' AND NOT attisdropped;

        CONTINUE WHEN existing.generated AND existing.value = wanted.value;
        IF NOT existing.generated THEN
            EXECUTE format(
                'SELECT EXISTS (SELECT FROM %I WHERE lower(domain_name) <> %s)', wanted.relation, wanted.value
            ) INTO differs;
            IF differs THEN
                RAISE EXCEPTION '%.domain_name is not the domain of the address in every row', wanted.relation
                    USING HINT = 'Rename that column or correct its rows.';
            END IF;
        END IF;
        EXECUTE format('ALTER TABLE %I DROP IF EXISTS domain_name', wanted.relation);
        EXECUTE format(
            'ALTER TABLE %I ADD domain_name text GENERATED ALWAYS AS (%s) STORED', wanted.relation, wanted.value
        );
    END LOOP;
END $mailstack$;

-- Keys. One that is there under another name is renamed; a table with another primary key gets a unique one.
DO $mailstack$
DECLARE
    wanted record;
    existing record;
    twice text;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('mail_domain', 'mailstack_domain_key', ARRAY['domain_name']),
            ('mail_users', 'mailstack_users_key', ARRAY['email']),
            ('mail_alias', 'mailstack_alias_key', ARRAY['source_email', 'destination_email'])
        ) AS keys (relation, name, columns)
    LOOP
        SELECT conname AS name INTO existing
        FROM pg_constraint
        WHERE conrelid = wanted.relation::regclass AND contype IN ('p', 'u') AND NOT condeferrable
            AND wanted.columns = (
                SELECT array_agg(attname::text ORDER BY position)
                FROM unnest(conkey) WITH ORDINALITY AS keys (number, position)
                JOIN pg_attribute ON attrelid = conrelid AND attnum = number
            )
        ORDER BY conname = wanted.name DESC, contype
        LIMIT 1;

        CONTINUE WHEN existing.name = wanted.name;
        EXECUTE format('ALTER TABLE %I DROP CONSTRAINT IF EXISTS %I', wanted.relation, wanted.name);
        IF existing.name IS NOT NULL THEN
            EXECUTE format(
                'ALTER TABLE %I RENAME CONSTRAINT %I TO %I', wanted.relation, existing.name, wanted.name
            );
            CONTINUE;
        END IF;

        EXECUTE format(
            'SELECT string_agg(concat_ws('' -> '', %1$s), '', '') '
            'FROM (SELECT %1$s FROM %2$I GROUP BY %1$s HAVING count(*) > 1) AS twice',
            array_to_string(wanted.columns, ', '), wanted.relation
        ) INTO twice;
        IF twice IS NOT NULL THEN
            RAISE EXCEPTION '% has more than one row for: %', wanted.relation, twice
                USING HINT = 'Delete the rows that are too many.';
        END IF;
        EXECUTE format(
            'ALTER TABLE %I ADD CONSTRAINT %I %s (%s)', wanted.relation, wanted.name,
            CASE WHEN EXISTS (
                SELECT FROM pg_constraint WHERE conrelid = wanted.relation::regclass AND contype = 'p'
            ) THEN 'UNIQUE' ELSE 'PRIMARY KEY' END,
            array_to_string(wanted.columns, ', ')
        );
    END LOOP;
END $mailstack$;

-- Where an alias points to: in lower case if it is ours; elsewhere the local part keeps its case (RFC 5321, 2.4).
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

-- Addresses of ours are stored in lower case, because Postfix and Dovecot look them up so.
CREATE FUNCTION mailstack_fold() RETURNS trigger LANGUAGE plpgsql AS $fold$
BEGIN
    CASE TG_TABLE_NAME
        WHEN 'mail_domain' THEN
            NEW.domain_name := lower(NEW.domain_name COLLATE "C");
        WHEN 'mail_users' THEN
            NEW.email := lower(NEW.email COLLATE "C");
        WHEN 'mail_alias' THEN
            NEW.source_email := lower(NEW.source_email COLLATE "C");
            NEW.destination_email := mailstack_destination(NEW.destination_email);
    END CASE;
    RETURN NEW;
END $fold$;
REVOKE ALL ON FUNCTION mailstack_fold() FROM PUBLIC;

CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON mail_domain
    FOR EACH ROW EXECUTE FUNCTION mailstack_fold();
CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON mail_users
    FOR EACH ROW EXECUTE FUNCTION mailstack_fold();
CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON mail_alias
    FOR EACH ROW EXECUTE FUNCTION mailstack_fold();

-- The form of an address, by the patterns of mailstack/addresses.py.
ALTER TABLE mail_domain
    ADD CONSTRAINT mailstack_domain_form CHECK (domain_name ~ {domain}) NOT VALID;

ALTER TABLE mail_users
    ADD CONSTRAINT mailstack_users_form CHECK (
        email = split_part(email, '@', 1) || '@' || split_part(email, '@', 2)
        AND split_part(email, '@', 1) ~ {mailbox_local_part}
        AND split_part(email, '@', 2) ~ {domain}
        AND length(email) <= {max_address}
    ) NOT VALID,
    ADD CONSTRAINT mailstack_users_password CHECK (password <> '') NOT VALID,
    ADD CONSTRAINT mailstack_users_quota CHECK (quota_mb >= 0) NOT VALID,
    ADD CONSTRAINT mailstack_users_home CHECK (
        home_directory ~ '^/' AND home_directory !~ '[[:cntrl:]]|(^|/)[.][.](/|$)'
    ) NOT VALID,
    ADD CONSTRAINT mailstack_users_domain FOREIGN KEY (domain_name) REFERENCES mail_domain (domain_name) NOT VALID;

ALTER TABLE mail_alias
    ADD CONSTRAINT mailstack_alias_source_form CHECK (
        source_email = split_part(source_email, '@', 1) || '@' || split_part(source_email, '@', 2)
        AND (source_email ~ '^@' OR split_part(source_email, '@', 1) ~ {mailbox_local_part})
        AND split_part(source_email, '@', 2) ~ {domain}
        AND length(source_email) <= {max_address}
    ) NOT VALID,
    ADD CONSTRAINT mailstack_alias_destination_form CHECK (
        destination_email = split_part(destination_email, '@', 1) || '@' || split_part(destination_email, '@', 2)
        AND split_part(destination_email, '@', 1) ~ {local_part}
        AND split_part(destination_email, '@', 2) ~ {domain}
        AND length(destination_email) <= {max_address}
    ) NOT VALID,
    ADD CONSTRAINT mailstack_alias_domain FOREIGN KEY (domain_name) REFERENCES mail_domain (domain_name) NOT VALID;

DO $mailstack$
DECLARE
    rule record;
BEGIN
    FOR rule IN
        SELECT conrelid::regclass AS relation, conname FROM pg_constraint
        WHERE conrelid IN ('mail_domain'::regclass, 'mail_users'::regclass, 'mail_alias'::regclass)
            AND conname LIKE 'mailstack\_%' AND NOT convalidated
    LOOP
        BEGIN
            EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', rule.relation, rule.conname);
        EXCEPTION WHEN check_violation OR foreign_key_violation THEN
            RAISE WARNING '% has rows from before that break %', rule.relation, rule.conname;
        END;
    END LOOP;
END $mailstack$;

-- Addresses and domains are looked up by the keys; these serve whoever removes a domain or a user.
DROP INDEX IF EXISTS mailstack_users_domain;
DROP INDEX IF EXISTS mailstack_alias_domain;
DROP INDEX IF EXISTS mailstack_alias_destination;
CREATE INDEX mailstack_users_domain ON mail_users (domain_name);
CREATE INDEX mailstack_alias_domain ON mail_alias (domain_name);
CREATE INDEX mailstack_alias_destination ON mail_alias (destination_email);

-- Postfix and Dovecot may look up, and nothing else.
DO $mailstack$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO {lookup}', current_database()); END $mailstack$;
GRANT USAGE ON SCHEMA public TO {lookup};
GRANT SELECT ON mail_domain, mail_users, mail_alias TO {lookup};
