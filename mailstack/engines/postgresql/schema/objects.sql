-- The current objects of mailstack, as (name, definition): those whose names begin with "mailstack_", and the tables and
-- columns in {tables} and {columns}. Columns and indexes added by others are left out.
WITH tables AS (
    SELECT * FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname IN ({tables})
), owned (object, owner, acl) AS (
    SELECT 'database', datdba, coalesce(datacl, acldefault('d', datdba))
    FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT 'schema public', nspowner, coalesce(nspacl, acldefault('n', nspowner))
    FROM pg_namespace WHERE nspname = 'public'
    UNION ALL
    SELECT 'table ' || relname, relowner, coalesce(relacl, acldefault('r', relowner)) FROM tables
    UNION ALL
    SELECT 'function ' || proname, proowner, coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'mailstack\_%'
), granted (object, owner, acl) AS (
    SELECT * FROM owned
    UNION ALL
    SELECT format('column %s.%s', relname, attname), relowner, attacl
    FROM tables JOIN pg_attribute ON attrelid = tables.oid WHERE attacl IS NOT NULL
)
SELECT
    'owner of ' || object AS name,
    concat_ws(' ', pg_get_userbyid(owner), (
        SELECT string_agg(privilege_type, ',' ORDER BY privilege_type) FROM aclexplode(acl) WHERE grantee = owner
    )) AS definition
FROM owned
UNION ALL
SELECT
    format('grant %s on %s to %s', privilege_type, object, coalesce(rolname, 'PUBLIC')),
    string_agg(concat_ws(' ', is_grantable, nullif(grantor, owner)), ', ' ORDER BY grantor)
FROM granted, aclexplode(acl) LEFT JOIN pg_roles ON pg_roles.oid = grantee
WHERE grantee <> owner
GROUP BY 1
UNION ALL
-- the schema of webmail, which has tables of Roundcube
SELECT
    'schema ' || nspname,
    concat_ws(' ', pg_get_userbyid(nspowner), (
        SELECT string_agg(privilege_type, ',' ORDER BY privilege_type) FROM aclexplode(nspacl)
        WHERE grantee = (SELECT oid FROM pg_roles WHERE rolname = nspname)
    ))
FROM pg_namespace WHERE nspname = {webmail_name}
UNION ALL
SELECT 'search_path of database', coalesce((
    SELECT string_agg(setting, '')
    FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) AS setting
    WHERE datname = current_database() AND setrole = 0 AND setting LIKE 'search\_path=%'
), '')
UNION ALL
SELECT 'table ' || relname, concat_ws(' ', relpersistence, relrowsecurity, relforcerowsecurity) FROM tables
UNION ALL
SELECT
    format('column %s.%s', relname, attname),
    concat_ws(' ', format_type(atttypid, atttypmod), attnotnull, attgenerated, pg_get_expr(adbin, adrelid))
FROM tables
JOIN pg_attribute ON attrelid = tables.oid AND NOT attisdropped
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE (relname, attname) IN ({columns})
UNION ALL
SELECT
    format('constraint %s on %s', conname, relname),
    concat_ws(' ', pg_get_constraintdef(pg_constraint.oid), (
        -- DISABLE TRIGGER ALL turns foreign keys off
        SELECT string_agg(DISTINCT tgenabled::text, '') FROM pg_trigger WHERE tgconstraint = pg_constraint.oid
    ))
FROM tables JOIN pg_constraint ON conrelid = tables.oid
WHERE conname LIKE 'mailstack\_%' AND contype IN ('c', 'f', 'p', 'u')
UNION ALL
SELECT
    format('index %s on %s', pg_class.relname, tables.relname),
    concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid)
FROM tables JOIN pg_index ON indrelid = tables.oid JOIN pg_class ON pg_class.oid = indexrelid
WHERE pg_class.relname LIKE 'mailstack\_%'
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND conrelid = indrelid)
UNION ALL
SELECT
    format('trigger %s on %s', tgname, relname),
    concat_ws(' ', pg_get_triggerdef(pg_trigger.oid), tgenabled)
FROM tables JOIN pg_trigger ON tgrelid = tables.oid
WHERE tgname LIKE 'mailstack\_%' AND NOT tgisinternal
UNION ALL
SELECT 'function ' || proname, pg_get_functiondef(oid)
FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'mailstack\_%' AND prokind = 'f'
