-- The current objects of mailstack, as (name, definition): those whose names begin with "mailstack_", and the tables and
-- columns in {tables} and {columns}. Columns and indexes added by others are left out.
SELECT CONCAT('table ', table_name) AS name, CONCAT_WS(' ', engine, table_collation) AS definition
FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN ({tables})
UNION ALL
SELECT
    CONCAT('column ', table_name, '.', column_name),
    CONCAT_WS(' ', column_type, collation_name, is_nullable, column_default, extra, generation_expression)
FROM information_schema.columns
WHERE table_schema = DATABASE() AND (table_name, column_name) IN ({columns})
UNION ALL
SELECT CONCAT('constraint ', constraint_name, ' on ', table_name), check_clause
FROM information_schema.check_constraints
WHERE constraint_schema = DATABASE() AND table_name IN ({tables}) AND constraint_name LIKE 'mailstack\_%'
UNION ALL
SELECT
    CONCAT('constraint ', r.constraint_name, ' on ', r.table_name),
    CONCAT_WS(' ', r.update_rule, r.delete_rule, r.referenced_table_name, (
        SELECT GROUP_CONCAT(k.column_name, ' ', k.referenced_column_name ORDER BY k.ordinal_position)
        FROM information_schema.key_column_usage k
        WHERE k.constraint_schema = DATABASE() AND k.table_name = r.table_name
            AND k.constraint_name = r.constraint_name
    ))
FROM information_schema.referential_constraints r
WHERE r.constraint_schema = DATABASE() AND r.table_name IN ({tables}) AND r.constraint_name LIKE 'mailstack\_%'
UNION ALL
SELECT
    CONCAT('index ', index_name, ' on ', table_name),
    GROUP_CONCAT(non_unique, ' ', column_name, ' ', COALESCE(sub_part, '') ORDER BY seq_in_index)
FROM information_schema.statistics
WHERE table_schema = DATABASE() AND table_name IN ({tables}) AND index_name LIKE 'mailstack\_%'
GROUP BY table_name, index_name
UNION ALL
SELECT
    CONCAT('trigger ', trigger_name, ' on ', event_object_table),
    CONCAT_WS(' ', action_timing, event_manipulation, definer, sql_mode, action_statement)
FROM information_schema.triggers WHERE trigger_schema = DATABASE() AND trigger_name LIKE 'mailstack\_%'
UNION ALL
SELECT
    CONCAT(LOWER(routine_type), ' ', routine_name),
    CONCAT_WS(' ', definer, security_type, sql_mode, dtd_identifier, routine_definition)
FROM information_schema.routines WHERE routine_schema = DATABASE() AND routine_name LIKE 'mailstack\_%'
