-- What precedes the numbered files. MariaDB ends a transaction with every CREATE and ALTER, so each statement
-- here can be repeated, and what was applied is recorded last: a run that is cut off is made good by the next.

-- Two control machines at once: the second waits.
DELIMITER //
BEGIN NOT ATOMIC
    IF NOT GET_LOCK('mailstack', 300) THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'another run is still at work in this database';
    END IF;
END //
DELIMITER ;

-- What the files apply, and what they made of it: see objects.sql. And a row for writers to wait at.
CREATE TABLE IF NOT EXISTS mailstack_schema (
    file_name VARCHAR(64) NOT NULL PRIMARY KEY,
    sha256 CHAR(64) NOT NULL,
    applied_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
) {table};
CREATE TABLE IF NOT EXISTS mailstack_objects (
    name VARCHAR(255) NOT NULL PRIMARY KEY,
    md5 CHAR(32) NOT NULL
) {table};
CREATE TABLE IF NOT EXISTS mailstack_lock (name VARCHAR(16) NOT NULL PRIMARY KEY) {table};
INSERT IGNORE INTO mailstack_lock VALUES ('circle');

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

-- Old rows may break a rule, which then holds for every row that is written from now on.
SET SESSION check_constraint_checks = 0, SESSION foreign_key_checks = 0;
