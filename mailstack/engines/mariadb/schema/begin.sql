-- What precedes all else. MariaDB ends a transaction with every CREATE and ALTER, so each statement
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

-- Old rows may break a rule, which then holds for every row that is written from now on.
SET SESSION check_constraint_checks = 0, SESSION foreign_key_checks = 0;
