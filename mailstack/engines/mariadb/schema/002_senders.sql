-- What an account may do and wants, and the addresses beside its own that it may send as.

ALTER TABLE mail_users
    ADD COLUMN IF NOT EXISTS can_send {boolean},
    ADD COLUMN IF NOT EXISTS can_receive {boolean},
    ADD COLUMN IF NOT EXISTS detail_folders {no};
UPDATE mail_users SET can_send = COALESCE(can_send, TRUE), can_receive = COALESCE(can_receive, TRUE),
    detail_folders = COALESCE(detail_folders, FALSE)
    WHERE can_send IS NULL OR can_receive IS NULL OR detail_folders IS NULL;
ALTER TABLE mail_users
    MODIFY can_send {boolean},
    MODIFY can_receive {boolean},
    MODIFY detail_folders {no};

CREATE TABLE IF NOT EXISTS mail_sender (email {address_type} NOT NULL) {table};
ALTER TABLE mail_sender
    ADD COLUMN IF NOT EXISTS email {address_type} NOT NULL,
    ADD COLUMN IF NOT EXISTS sender_email {address_type} NOT NULL;

-- "@domain" is every address there. Postfix asks by the address, so that comes first in the key.
ALTER TABLE mail_sender
    MODIFY email {address_type} NOT NULL,
    MODIFY sender_email {address_type} NOT NULL,
    DROP INDEX IF EXISTS mailstack_sender_key,
    ADD UNIQUE INDEX mailstack_sender_key (sender_email, email),
    DROP INDEX IF EXISTS mailstack_sender_email,
    ADD INDEX mailstack_sender_email (email),
    {table};

CREATE TRIGGER mailstack_sender_insert BEFORE INSERT ON mail_sender FOR EACH ROW
    SET NEW.email = LOWER(NEW.email), NEW.sender_email = LOWER(NEW.sender_email);
CREATE TRIGGER mailstack_sender_update BEFORE UPDATE ON mail_sender FOR EACH ROW
    SET NEW.email = LOWER(NEW.email), NEW.sender_email = LOWER(NEW.sender_email);

ALTER TABLE mail_sender
    ADD CONSTRAINT mailstack_sender_form CHECK (
        sender_email
            = CONCAT(SUBSTRING_INDEX(sender_email, '@', 1), '@', SUBSTRING_INDEX(sender_email, '@', -1))
        AND (sender_email REGEXP '^@' OR SUBSTRING_INDEX(sender_email, '@', 1) REGEXP {mailbox_local_part})
        AND SUBSTRING_INDEX(sender_email, '@', -1) REGEXP {domain}
        AND LENGTH(sender_email) <= {max_address} AND LOCATE('\n', sender_email) = 0
    ),
    ADD CONSTRAINT mailstack_sender_user FOREIGN KEY (email) REFERENCES mail_users (email)
        ON UPDATE CASCADE ON DELETE CASCADE;
