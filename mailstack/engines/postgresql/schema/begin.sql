-- The first statements of the transaction. An administrator runs them: a superuser, or on a managed server a member of
-- {owner}.

SET LOCAL client_min_messages = warning;
SET LOCAL search_path = public, pg_temp;

-- Of two concurrent runs, the second waits.
DO $mailstack$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('mailstack')); END $mailstack$;

-- All objects belong to {owner}, also those that another role created or took over.
DO $mailstack$
DECLARE
    object record;
BEGIN
    IF (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()) <> {owner_name} THEN
        EXECUTE format('ALTER DATABASE %I OWNER TO {owner}', current_database());
    END IF;
    IF (SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'public')
        NOT IN ('pg_database_owner', {owner_name})
    THEN
        ALTER SCHEMA public OWNER TO pg_database_owner;
    END IF;
    FOR object IN
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relname IN ({tables})
            AND pg_get_userbyid(relowner) <> {owner_name}
    LOOP
        EXECUTE format('ALTER TABLE %I OWNER TO {owner}', object.relname);
    END LOOP;
    FOR object IN
        SELECT oid::regprocedure AS signature FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'mailstack\_%'
            AND pg_get_userbyid(proowner) <> {owner_name}
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO {owner}', object.signature);
    END LOOP;
END $mailstack$;

-- Lookups name tables without a schema.
DO $mailstack$ BEGIN
    EXECUTE format('ALTER DATABASE %I RESET search_path', current_database());
END $mailstack$;

-- From here on the owner's privileges are enough.
SET LOCAL ROLE {owner};

-- The record of applied files, and of the resulting objects: see objects.sql.
CREATE TABLE IF NOT EXISTS mailstack_schema (
    file_name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS mailstack_objects (
    name text PRIMARY KEY,
    md5 text NOT NULL
);

-- Only the owner has rights; the following files grant the others.
DO $mailstack$
DECLARE
    object record;
BEGIN
    FOR object IN
        WITH acls (target, acl, owner) AS (
            SELECT format('DATABASE %I', datname), coalesce(datacl, acldefault('d', datdba)), datdba
            FROM pg_database WHERE datname = current_database()
            UNION ALL
            SELECT 'SCHEMA public', coalesce(nspacl, acldefault('n', nspowner)), nspowner
            FROM pg_namespace WHERE nspname = 'public'
            UNION ALL
            SELECT format('TABLE %I', relname), coalesce(relacl, acldefault('r', relowner)), relowner
            FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname IN ({tables})
            UNION ALL -- revoking from the table revokes from its columns
            SELECT format('TABLE %I', relname), attacl, relowner
            FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
            WHERE relnamespace = 'public'::regnamespace AND relname IN ({tables}) AND attacl IS NOT NULL
        )
        SELECT DISTINCT target, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee
        FROM acls, aclexplode(acl)
        WHERE grantor = owner AND grantee <> owner
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s CASCADE', object.target, object.grantee);
    END LOOP;
    EXECUTE format('GRANT ALL ON DATABASE %I TO {owner}', current_database());
    FOR object IN
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname IN ({tables})
    LOOP
        EXECUTE format('GRANT ALL ON TABLE %I TO {owner}', object.relname);
    END LOOP;
END $mailstack$;
