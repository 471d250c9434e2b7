-- The tables of mailstack/engines/tables.py: what is missing is made, tables that somebody made by hand are adopted,
-- and what was changed is healed. No row is lost. Addresses differ in every byte, trailing spaces included: hence the
-- collation.

-- Rules and triggers are dropped and made anew, so that they are as written whatever they were. A function is
-- replaced: who may call it would be lost with it.
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

-- The domain that an address belongs to, which the server derives; a column of that name that says the same
-- but was filled by hand gives way to it.
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

-- NULL meant no: no lookup has ever found such a row.
{no_nulls}

-- Columns, keys and indexes as they should be.
{drop_derived}
{columns_and_keys}

-- Rules.
{rules}
