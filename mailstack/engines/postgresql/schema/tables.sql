-- The tables of mailstack/engines/tables.py: missing ones are created, those made by hand are adopted, and changed ones
-- are fixed. No row is lost. If existing rows break a rule, it stays NOT VALID, and is enforced for new rows only.

-- Triggers, functions and rules are dropped and created again, which fixes changed ones and removes those of earlier
-- versions. Keys and indexes take long, so these are only created if they differ.
DO $mailstack$
DECLARE
    object record;
BEGIN
    -- before anything else: tables with pending events of deferred triggers can't be altered
    FOR object IN
        SELECT tgname, tgrelid::regclass AS relation FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = 'public'::regnamespace AND relname IN ({tables})
            AND tgname LIKE 'mailstack\_%' AND NOT tgisinternal
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', object.tgname, object.relation);
    END LOOP;
    FOR object IN
        SELECT oid::regprocedure AS signature FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proname LIKE 'mailstack\_%' AND prokind = 'f'
    LOOP
        EXECUTE format('DROP FUNCTION %s', object.signature);
    END LOOP;
    FOR object IN
        SELECT conname, conrelid::regclass AS relation
        FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
        WHERE relnamespace = 'public'::regnamespace AND relname IN ({tables})
            AND conname LIKE 'mailstack\_%' AND contype IN ('c', 'f')
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', object.relation, object.conname);
    END LOOP;
END $mailstack$;

DO $mailstack$
DECLARE
    relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY[{tables}] LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I ()', relation);
        EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', relation);
    END LOOP;
END $mailstack$;

-- Columns: name, type, NOT NULL, default. A different type is converted through text, so that 0, 1, 't' and 'no' become
-- booleans.
DO $mailstack$
DECLARE
    wanted record;
    existing record;
    generated text;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            {column_rows}
        ) AS columns (relation, name, type, required, value)
    LOOP
        SELECT format_type(atttypid, atttypmod) AS type, attnotnull AS required, attgenerated = 's' AS generated
        INTO existing
        FROM pg_attribute
        WHERE attrelid = wanted.relation::regclass AND attname = wanted.name AND NOT attisdropped;

        IF NOT FOUND THEN
            EXECUTE format(
                'ALTER TABLE %I ADD %I %s %s',
                wanted.relation, wanted.name, wanted.type, 'DEFAULT ' || wanted.value
            );
            existing.required := false;
        ELSE
            IF existing.generated THEN
                EXECUTE format('ALTER TABLE %I ALTER %I DROP EXPRESSION', wanted.relation, wanted.name);
            END IF;
            IF existing.type <> wanted.type THEN
                FOR generated IN -- columns generated from this one prevent the change
                    SELECT attname FROM pg_attribute
                    WHERE attrelid = wanted.relation::regclass AND attgenerated = 's'
                        AND (wanted.relation, attname) IN ({derived_names})
                LOOP
                    EXECUTE format('ALTER TABLE %I DROP %I', wanted.relation, generated);
                END LOOP;
                EXECUTE format(
                    'ALTER TABLE %1$I ALTER %2$I DROP DEFAULT, ALTER %2$I TYPE %3$s USING %2$I::text::%3$s',
                    wanted.relation, wanted.name, wanted.type
                );
            END IF;
        END IF;

        EXECUTE format(
            'ALTER TABLE %I ALTER %I %s',
            wanted.relation, wanted.name, coalesce('SET DEFAULT ' || wanted.value, 'DROP DEFAULT')
        );
        IF existing.required IS DISTINCT FROM wanted.required THEN
            IF wanted.required AND wanted.type = 'boolean' THEN
                -- NULL meant false: no lookup has ever found such a row
                EXECUTE format('UPDATE %1$I SET %2$I = false WHERE %2$I IS NULL', wanted.relation, wanted.name);
            END IF;
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

-- The domain of an address, which the server derives. It replaces a column of that name with the same values.
DO $mailstack$
DECLARE
    wanted record;
    existing record;
    differs boolean;
BEGIN
    FOR wanted IN
        SELECT
            relation, name,
            format('lower(("substring"(%I, ''[^@]*$''::text) COLLATE "C"))', address) AS value
        FROM (VALUES
            {derived_rows}
        ) AS columns (relation, name, address)
    LOOP
        SELECT attgenerated = 's' AS generated, pg_get_expr(adbin, adrelid) AS value INTO existing
        FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = wanted.relation::regclass AND attname = wanted.name AND NOT attisdropped;

        CONTINUE WHEN existing.generated AND existing.value = wanted.value;
        IF NOT existing.generated THEN
            EXECUTE format(
                'SELECT EXISTS (SELECT FROM %I WHERE lower(%I) <> %s)', wanted.relation, wanted.name, wanted.value
            ) INTO differs;
            IF differs THEN
                RAISE EXCEPTION '%.% is not the domain of the address in every row', wanted.relation, wanted.name
                    USING HINT = 'Rename that column or correct its rows.';
            END IF;
        END IF;
        EXECUTE format('ALTER TABLE %I DROP IF EXISTS %I', wanted.relation, wanted.name);
        EXECUTE format(
            'ALTER TABLE %I ADD %I text GENERATED ALWAYS AS (%s) STORED', wanted.relation, wanted.name, wanted.value
        );
    END LOOP;
END $mailstack$;

-- Keys. An existing key of another name is renamed; a table with another primary key gets a unique key.
DO $mailstack$
DECLARE
    wanted record;
    existing record;
    twice text;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            {key_rows}
        ) AS keys (relation, name, columns, may_be_primary)
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
            CASE WHEN wanted.may_be_primary AND NOT EXISTS (
                SELECT FROM pg_constraint WHERE conrelid = wanted.relation::regclass AND contype = 'p'
            ) THEN 'PRIMARY KEY' ELSE 'UNIQUE' END,
            array_to_string(wanted.columns, ', ')
        );
    END LOOP;
END $mailstack$;

-- Rules.
{rules}

DO $mailstack$
DECLARE
    rule record;
BEGIN
    FOR rule IN
        SELECT conrelid::regclass AS relation, conname
        FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
        WHERE relnamespace = 'public'::regnamespace AND relname IN ({tables})
            AND conname LIKE 'mailstack\_%' AND NOT convalidated
    LOOP
        BEGIN
            EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', rule.relation, rule.conname);
        EXCEPTION WHEN check_violation OR foreign_key_violation THEN
            RAISE WARNING '% has rows from before that break %', rule.relation, rule.conname;
        END;
    END LOOP;
END $mailstack$;

-- Indexes: correct ones stay, mailstack's others are dropped.
DO $mailstack$
DECLARE
    wanted text[] := ARRAY[
        {indexes}
    ];
    object record;
    definition text;
BEGIN
    FOR object IN
        SELECT index.oid::regclass AS name, pg_get_indexdef(indexrelid) AS definition, indisvalid
        FROM pg_index
        JOIN pg_class AS index ON index.oid = indexrelid
        JOIN pg_class AS relation ON relation.oid = indrelid
        WHERE relation.relnamespace = 'public'::regnamespace AND relation.relname IN ({tables})
            AND index.relname LIKE 'mailstack\_%'
            AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND conrelid = indrelid)
    LOOP
        IF object.indisvalid AND object.definition = ANY (wanted) THEN
            wanted := array_remove(wanted, object.definition);
        ELSE
            EXECUTE format('DROP INDEX %s', object.name);
        END IF;
    END LOOP;
    FOREACH definition IN ARRAY wanted LOOP
        EXECUTE definition;
    END LOOP;
END $mailstack$;

-- Postfix and Dovecot may only read.
DO $mailstack$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO {lookup}', current_database()); END $mailstack$;
GRANT USAGE ON SCHEMA public TO {lookup};
GRANT SELECT ON {looked_up} TO {lookup};
