-- The tables of mailstack/engines/tables.py: missing ones are created, those made by hand are adopted, and changed ones
-- are fixed. No row is lost. The collation compares addresses byte by byte, with trailing spaces.

-- Rules and triggers are dropped and created again, which fixes changed ones. Functions are replaced, as dropping one
-- would also drop its grants.
DELIMITER //
BEGIN NOT ATOMIC
    FOR rule IN (
        SELECT table_name, constraint_name FROM information_schema.referential_constraints
        WHERE constraint_schema = DATABASE() AND table_name IN ({tables}) AND constraint_name LIKE 'mailstack\_%'
    ) DO
        EXECUTE IMMEDIATE CONCAT(
            'ALTER TABLE ', rule.table_name, ' DROP FOREIGN KEY IF EXISTS ', rule.constraint_name
        );
    END FOR;
    FOR rule IN (
        SELECT table_name, constraint_name FROM information_schema.check_constraints
        WHERE constraint_schema = DATABASE() AND table_name IN ({tables}) AND constraint_name LIKE 'mailstack\_%'
    ) DO
        EXECUTE IMMEDIATE CONCAT(
            'ALTER TABLE ', rule.table_name, ' DROP CONSTRAINT IF EXISTS ', rule.constraint_name
        );
    END FOR;
    FOR made IN (
        SELECT trigger_name FROM information_schema.triggers
        WHERE trigger_schema = DATABASE() AND trigger_name LIKE 'mailstack\_%'
    ) DO
        EXECUTE IMMEDIATE CONCAT('DROP TRIGGER IF EXISTS ', made.trigger_name);
    END FOR;
END //
DELIMITER ;

{make_tables}

-- The domain of an address, which the server derives. It replaces a column of that name with the same values.
DELIMITER //
BEGIN NOT ATOMIC
    DECLARE differs BOOLEAN DEFAULT FALSE;
    FOR filled IN (
        WITH derived (relation, name, address) AS (
            {derived_rows}
        )
        SELECT relation, name, address
        FROM derived JOIN information_schema.columns ON table_name = relation AND column_name = name
        WHERE table_schema = DATABASE() AND is_generated = 'NEVER'
    ) DO
        EXECUTE IMMEDIATE CONCAT(
            'SELECT EXISTS (SELECT 1 FROM ', filled.relation, ' WHERE LOWER(', filled.name,
            ') <> LOWER(SUBSTRING_INDEX(', filled.address, ', ''@'', -1))) INTO @differs'
        );
        IF @differs THEN
            SET @said = CONCAT(
                filled.relation, '.', filled.name, ' is not the domain of the address in every row; ',
                'rename that column or correct its rows'
            );
            SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = @said;
        END IF;
    END FOR;
END //
DELIMITER ;

-- NULL meant false: no lookup has ever found such a row.
{no_nulls}

-- Columns, keys and indexes.
{drop_derived}
{columns_and_keys}

-- Rules.
{rules}
