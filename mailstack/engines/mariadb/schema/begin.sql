-- The first statements. MariaDB commits with every CREATE and ALTER. So each statement here can be repeated, and the
-- applied files are recorded last: the next run completes an interrupted one.

-- Of two concurrent runs, the second waits.
DELIMITER //
BEGIN NOT ATOMIC
    IF NOT GET_LOCK('mailstack', 300) THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'another run is still at work in this database';
    END IF;
END //
DELIMITER ;

-- The record of applied files, and of the resulting objects: see objects.sql. And a row on which writers wait.
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

-- Existing rows may break a rule, which is then enforced for new rows only.
SET SESSION check_constraint_checks = 0, SESSION foreign_key_checks = 0;
