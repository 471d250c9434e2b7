-- As JSON: whether the database exists, the accounts named {users}, their privileges, and those of other accounts in the
-- database.
SELECT JSON_OBJECT(
    'database', (SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = {database}),
    'accounts', (
        SELECT JSON_OBJECTAGG(CONCAT(user, '@', host), JSON_COMPACT(priv)) FROM mysql.global_priv
        WHERE user IN ({users})
    ),
    'grants', (
        SELECT JSON_ARRAYAGG(JSON_ARRAY(
            CONCAT(user, '@', host), place, CONCAT(privilege, IF(grantable, ' WITH GRANT OPTION', ''))
        ))
        FROM (
            SELECT
                SUBSTRING_INDEX(REPLACE(grantee, '''', ''), '@', 1) AS user,
                SUBSTRING_INDEX(REPLACE(grantee, '''', ''), '@', -1) AS host,
                IF(db IS NULL, '*.*', CONCAT_WS('.', db, COALESCE(relation, '*'), attribute)) AS place,
                privilege, is_grantable = 'YES' AS grantable, db
            FROM (
                SELECT grantee, 
                    NULL AS db, NULL AS relation, NULL AS attribute,
                    privilege_type AS privilege, is_grantable
                FROM information_schema.user_privileges
                UNION ALL
                SELECT grantee, table_schema, NULL, NULL, privilege_type, is_grantable
                FROM information_schema.schema_privileges
                UNION ALL
                SELECT grantee, table_schema, table_name, NULL, privilege_type, is_grantable
                FROM information_schema.table_privileges
                UNION ALL
                SELECT grantee, table_schema, table_name, column_name, privilege_type, is_grantable
                FROM information_schema.column_privileges
            ) AS privileges
            WHERE privilege <> 'USAGE'
            UNION ALL
            SELECT user, host, CONCAT(routine_type, ' ', db, '.', routine_name), UPPER(proc_priv), FALSE, db
            FROM mysql.procs_priv
            UNION ALL
            SELECT user, host, CONCAT('role ', role), 'MEMBER', admin_option = 'Y', NULL
            FROM mysql.roles_mapping
        ) AS granted
        WHERE user IN ({users}) OR db IN ({database}, {pattern})
    )
)
